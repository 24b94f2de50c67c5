package io.berth.imagestore.unpack;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The records of a PAX extended header (POSIX pax, "pax Extended Header"); values are bytes, since xattrs are. */
final class PaxRecords {
    private static final int MAX_LENGTH_DIGITS = 10;
    /** Of different keys; each costs many times its bytes in the archive. */
    private static final int MAX_RECORDS = 10_000;
    private static final String XATTR = "SCHILY.xattr.";

    private final Map<String, byte[]> values = new HashMap<>();
    /** Of GNU's sparse format 0.0, whose offsets and lengths come as repeated keys, in order. */
    private final List<Long> sparseNumbers = new ArrayList<>();

    /** @throws IllegalArgumentException saying what is wrong */
    static PaxRecords parse(byte[] data) {
        PaxRecords records = new PaxRecords();
        int position = 0;
        while (position < data.length) {
            int space = position;
            while (space < data.length && data[space] >= '0' && data[space] <= '9') {
                space++;
            }
            if (space == position || space - position > MAX_LENGTH_DIGITS || space == data.length
                    || data[space] != ' ') {
                throw new IllegalArgumentException("its extended header has a record without a length");
            }
            long end = position
                    + Long.parseLong(new String(data, position, space - position, StandardCharsets.US_ASCII));
            int equals = space + 1;
            while (equals < data.length && data[equals] != '=') {
                equals++;
            }
            if (end > data.length || equals >= end - 1 || data[(int) end - 1] != '\n') {
                throw new IllegalArgumentException("its extended header has a record with a wrong length");
            }
            records.put(new String(data, space + 1, equals - space - 1, StandardCharsets.UTF_8),
                    Arrays.copyOfRange(data, equals + 1, (int) end - 1));
            position = (int) end;
        }
        return records;
    }

    byte @Nullable [] bytes(String key) {
        return values.get(key);
    }

    @Nullable
    String text(String key) {
        byte[] value = values.get(key);
        return value == null ? null : new String(value, StandardCharsets.UTF_8);
    }

    /** A decimal number; {@code absent} where there is none. */
    long number(String key, long absent) {
        String value = text(key);
        if (value == null) {
            return absent;
        }
        try {
            return Long.parseLong(value);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    "its extended header has " + key + "=" + value + ", wanted a number", e);
        }
    }

    /** Extended attributes by their full name. */
    Map<String, byte[]> xattrs() {
        Map<String, byte[]> xattrs = new HashMap<>();
        values.forEach((key, value) -> {
            if (key.startsWith(XATTR)) {
                xattrs.put(key.substring(XATTR.length()), value);
            }
        });
        return xattrs;
    }

    /** Offset and length by turns, of sparse format 0.0 or 0.1; empty for none. */
    List<Long> sparseNumbers() {
        String map = text("GNU.sparse.map");
        if (map == null) {
            return sparseNumbers;
        }
        List<Long> numbers = new ArrayList<>();
        for (String number : map.split(",", -1)) {
            numbers.add(parse("GNU.sparse.map", number));
        }
        return numbers;
    }

    private void put(String key, byte[] value) {
        if (key.equals("GNU.sparse.offset") || key.equals("GNU.sparse.numbytes")) {
            boolean offset = key.equals("GNU.sparse.offset");
            if (offset != (sparseNumbers.size() % 2 == 0)) {
                throw new IllegalArgumentException("its extended header has " + key + " out of order");
            }
            sparseNumbers.add(parse(key, new String(value, StandardCharsets.US_ASCII)));
        } else if (value.length == 0 && !key.startsWith(XATTR)) {
            // An empty value takes back what an earlier record said.
            values.remove(key);
        } else {
            values.put(key, value);
            if (values.size() > MAX_RECORDS) {
                throw new IllegalArgumentException(
                        "its extended header has more than " + MAX_RECORDS + " records");
            }
        }
    }

    private static Long parse(String key, String number) {
        try {
            return Long.valueOf(number);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    "its extended header has " + key + "=" + number + ", wanted a number", e);
        }
    }
}
