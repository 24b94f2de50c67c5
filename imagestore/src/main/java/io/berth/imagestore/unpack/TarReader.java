package io.berth.imagestore.unpack;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.unpack.TarEntry.Sparse;
import io.berth.imagestore.unpack.TarEntry.Sparse.Extent;
import io.berth.linux.FileTimes;
import io.berth.linux.RawPath;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads tar as image builders write it: ustar, PAX (POSIX.1-2001) and GNU with long names, sparse files and base-256
 * numbers. Names and attribute values stay bytes; a library that makes text of them would damage
 * {@code security.capability}. What is malformed is refused and named.
 */
final class TarReader {
    private static final int HEADER = TarHeader.BLOCK_BYTES;
    /** What an extended header or a long name may take: as in Go's archive/tar, which wrote most layers. */
    private static final int MAX_EXTENSION_BYTES = 1 << 20;
    /** Characters of a malformed entry's name that an error shows. */
    private static final int SHOWN_NAME = 256;
    private static final int MAX_EXTENTS = 100_000;
    private static final long MAX_ID = 0xffff_fffeL;

    private final TarInput in;
    private final byte[] block = new byte[HEADER];
    /** Of the present entry: content not yet read, and the padding behind it. */
    private long remaining;
    private long padding;
    private long entries;

    TarReader(TarInput in) {
        this.in = in;
    }

    /**
     * The next file of the archive; what the caller left of the last one's content is passed over. Null at the end.
     *
     * @throws ImageException CORRUPT
     */
    @Nullable
    TarEntry next() throws ImageException {
        skipContent();
        byte[] longName = null;
        byte[] longLink = null;
        PaxRecords pax = null;
        while (true) {
            TarHeader header = header(longName != null || longLink != null || pax != null);
            if (header == null) {
                return null;
            }
            try {
                char type = header.type();
                switch (type) {
                    case 'L' -> longName = terminated(extension(header, "long name"));
                    case 'K' -> longLink = terminated(extension(header, "long link name"));
                    case 'x', 'X' -> pax = PaxRecords.parse(extension(header, "extended header"));
                    // Nobody applies global headers to layers; git writes one with its commit.
                    case 'g', 'V' -> skipMember(header);
                    default -> {
                        entries++;
                        return entry(header, pax == null ? new PaxRecords() : pax, longName, longLink);
                    }
                }
            } catch (IllegalArgumentException e) {
                throw corrupt(name(longName != null ? longName : header.name()) + ": " + e.getMessage(), e);
            }
        }
    }

    /** Entries so far. */
    long entries() {
        return entries;
    }

    /** Bytes of the entry's content that can be taken from the input now, at most {@code max}; 0 after the last. */
    int content(TarEntry entry, long max) throws ImageException {
        if (remaining == 0) {
            return 0;
        }
        int count = in.available(Math.min(max, remaining));
        if (count == 0) {
            throw truncated(entry.path().toString());
        }
        return count;
    }

    /** Takes {@code count} bytes that {@link #content} promised. */
    void advance(int count) {
        in.advance(count);
        remaining -= count;
    }

    /** Where the bytes are that {@link #content} promised. */
    byte[] array() {
        return in.array();
    }

    /** Index of the first of them. */
    int position() {
        return in.position();
    }

    private TarEntry entry(TarHeader header, PaxRecords pax, byte @Nullable [] longName,
            byte @Nullable [] longLink)
            throws ImageException {
        byte[] name = or(pax.bytes("GNU.sparse.name"), or(pax.bytes("path"), or(longName, header.name())));
        TarEntry.Type type = type(header.type(), name);
        TarPath path = TarPath.of(name);
        long size = pax.number("size", header.size());
        if (size < 0) {
            throw new IllegalArgumentException("its size is negative");
        }
        boolean content = hasContent(header.type());
        remaining = content ? size : 0;
        padding = content ? -size & (HEADER - 1) : 0;
        Sparse sparse = type == TarEntry.Type.FILE ? sparse(header, pax) : null;
        String fault = sparse == null ? null : sparse.fault(remaining);
        if (fault != null) {
            throw new IllegalArgumentException(fault);
        }
        boolean device = type == TarEntry.Type.CHARACTER_DEVICE || type == TarEntry.Type.BLOCK_DEVICE;
        return new TarEntry(path, type,
                link(type, or(pax.bytes("linkpath"), or(longLink, header.linkName()))),
                (int) (header.mode() & 07777), id("uid", pax.number("uid", header.uid())),
                id("gid", pax.number("gid", header.gid())), times(header, pax),
                type == TarEntry.Type.FILE ? remaining : 0, sparse,
                device ? pax.number("SCHILY.devmajor", header.deviceMajor()) : 0,
                device ? pax.number("SCHILY.devminor", header.deviceMinor()) : 0, pax.xattrs());
    }

    private static TarEntry.Type type(char flag, byte[] name) {
        return switch (flag) {
            // Before ustar a directory was a file whose name ends with a slash.
            case '0', '\0', '7',
                    'S' ->
                name.length > 0 && name[name.length - 1] == '/'
                        ? TarEntry.Type.DIRECTORY
                        : TarEntry.Type.FILE;
            case '1' -> TarEntry.Type.HARD_LINK;
            case '2' -> TarEntry.Type.SYMBOLIC_LINK;
            case '3' -> TarEntry.Type.CHARACTER_DEVICE;
            case '4' -> TarEntry.Type.BLOCK_DEVICE;
            case '5', 'D' -> TarEntry.Type.DIRECTORY;
            case '6' -> TarEntry.Type.FIFO;
            default ->
                throw new IllegalArgumentException("its type '" + flag + "' is none that an image may have");
        };
    }

    /** Links, devices, directories and FIFOs have none, whatever their size field says. */
    private static boolean hasContent(char flag) {
        return flag < '1' || flag > '6';
    }

    private static @Nullable RawPath link(TarEntry.Type type, byte[] target) {
        if (type != TarEntry.Type.SYMBOLIC_LINK && type != TarEntry.Type.HARD_LINK) {
            return null;
        }
        if (target.length == 0) {
            throw new IllegalArgumentException("it is a link to nothing");
        }
        return RawPath.of(target, 0, target.length);
    }

    private static int id(String field, long id) {
        if (id < 0 || id > MAX_ID) {
            throw new IllegalArgumentException("its " + field + " is " + id + ", wanted 0 to " + MAX_ID);
        }
        return (int) id;
    }

    private static FileTimes times(TarHeader header, PaxRecords pax) {
        String modified = pax.text("mtime");
        String accessed = pax.text("atime");
        BigDecimal modifiedTime = modified == null
                ? BigDecimal.valueOf(header.modified())
                : seconds("mtime", modified);
        if (modified == null && accessed == null) {
            return FileTimes.of(header.modified(), 0);
        }
        BigDecimal accessTime = accessed == null ? modifiedTime : seconds("atime", accessed);
        return new FileTimes(floor(accessTime), nanos(accessTime), floor(modifiedTime), nanos(modifiedTime));
    }

    private static BigDecimal seconds(String key, String text) {
        // A long text or exponent would cost time, not precision: 19 digits, a sign, a point and nanoseconds fit.
        if (text.length() > 40
                || !text.chars().allMatch(c -> c == '-' || c == '.' || (c >= '0' && c <= '9'))) {
            throw new IllegalArgumentException("its " + key + " is " + text + ", wanted seconds");
        }
        try {
            BigDecimal seconds = new BigDecimal(text);
            if (seconds.abs().compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) >= 0) {
                throw new IllegalArgumentException(
                        "its " + key + " is " + text + ", beyond what a file can have");
            }
            return seconds;
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("its " + key + " is " + text + ", wanted seconds", e);
        }
    }

    private static long floor(BigDecimal seconds) {
        return seconds.setScale(0, RoundingMode.FLOOR).longValue();
    }

    private static int nanos(BigDecimal seconds) {
        return seconds.subtract(seconds.setScale(0, RoundingMode.FLOOR)).movePointRight(9).intValue();
    }

    private @Nullable Sparse sparse(TarHeader header, PaxRecords pax) throws ImageException {
        if (header.type() == 'S') {
            return oldGnuSparse(header);
        }
        if (pax.number("GNU.sparse.major", 0) == 1) {
            long fileSize = pax.number("GNU.sparse.realsize", -1);
            return new Sparse(fileSize, extents(sparseMapOfContent()));
        }
        List<Long> numbers = pax.sparseNumbers();
        if (numbers.isEmpty() && pax.text("GNU.sparse.size") == null) {
            return null;
        }
        return new Sparse(pax.number("GNU.sparse.size", -1), extents(numbers));
    }

    private Sparse oldGnuSparse(TarHeader header) throws ImageException {
        List<Long> numbers = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            addOldGnu(numbers, header.sparseOffset(i), header.sparseLength(i));
        }
        boolean more = header.sparseExtended();
        byte[] extension = new byte[HEADER];
        while (more) {
            if (in.read(extension) < HEADER) {
                throw truncated("a sparse map");
            }
            for (int i = 0; i < 21; i++) {
                addOldGnu(numbers, TarHeader.number(extension, 24 * i, 12),
                        TarHeader.number(extension, 24 * i + 12, 12));
            }
            more = extension[504] != 0;
        }
        return new Sparse(header.sparseFileSize(), extents(numbers));
    }

    private static void addOldGnu(List<Long> numbers, long offset, long length) {
        if (offset != 0 || length != 0) {
            numbers.add(offset);
            numbers.add(length);
            checkExtents(numbers.size() / 2L);
        }
    }

    /** Format 1.0: the content starts with decimal numbers in lines, padded to a block: how many, then the extents. */
    private List<Long> sparseMapOfContent() throws ImageException {
        byte[] map = new byte[HEADER];
        List<Long> numbers = new ArrayList<>();
        long wanted = 1;
        long number = -1;
        while (numbers.size() < wanted) {
            if (remaining < HEADER) {
                throw new IllegalArgumentException("its sparse map is cut off");
            }
            if (in.read(map) < HEADER) {
                throw truncated("a sparse map");
            }
            remaining -= HEADER;
            for (int i = 0; i < HEADER && numbers.size() < wanted; i++) {
                if (map[i] == '\n' && number >= 0) {
                    numbers.add(number);
                    if (numbers.size() == 1) {
                        checkExtents(number);
                        wanted = 1 + 2 * number;
                    }
                    number = -1;
                } else if (map[i] >= '0' && map[i] <= '9' && number <= Long.MAX_VALUE / 10 - 1) {
                    number = Math.max(number, 0) * 10 + map[i] - '0';
                } else {
                    throw new IllegalArgumentException("its sparse map is malformed");
                }
            }
        }
        return numbers.subList(1, numbers.size());
    }

    private static List<Extent> extents(List<Long> numbers) {
        checkExtents(numbers.size() / 2L);
        if (numbers.size() % 2 != 0) {
            throw new IllegalArgumentException("its sparse map has an offset without a length");
        }
        List<Extent> extents = new ArrayList<>(numbers.size() / 2);
        for (int i = 0; i < numbers.size(); i += 2) {
            extents.add(new Extent(numbers.get(i), numbers.get(i + 1)));
        }
        return extents;
    }

    private static void checkExtents(long count) {
        if (count > MAX_EXTENTS) {
            throw new IllegalArgumentException("its sparse map has more than " + MAX_EXTENTS + " extents");
        }
    }

    private @Nullable TarHeader header(boolean inEntry) throws ImageException {
        int count = in.read(block);
        TarHeader header = new TarHeader(block);
        if (count == HEADER && !header.isZero()) {
            checkHeader(header);
            return header;
        }
        if (inEntry) {
            throw corrupt("the archive ends after an extended header", null);
        }
        if (count == 0) {
            // Without its two zero blocks; some builders write it so, and the digests say that nothing is missing.
            return null;
        }
        if (count < HEADER) {
            throw truncated("a header");
        }
        checkOnlyZerosFollow();
        return null;
    }

    private void checkHeader(TarHeader header) throws ImageException {
        boolean valid;
        try {
            valid = header.hasValidChecksum();
        } catch (NumberFormatException e) {
            valid = false;
        }
        if (!valid) {
            // Its bytes are not shown: what is no header may be anything.
            throw corrupt(entries == 0
                    ? "it is no tar archive: its first header does not match its checksum"
                    : "the header behind entry " + entries + " does not match its checksum", null);
        }
    }

    private void checkOnlyZerosFollow() throws ImageException {
        for (int count; (count = in.available(Integer.MAX_VALUE)) > 0; in.pass(count)) {
            byte[] array = in.array();
            for (int i = in.position(); i < in.position() + count; i++) {
                if (array[i] != 0) {
                    throw corrupt("something follows the archive's end", null);
                }
            }
        }
    }

    private byte[] extension(TarHeader header, String what) throws ImageException {
        long size = header.size();
        if (size < 0 || size > MAX_EXTENSION_BYTES) {
            throw new IllegalArgumentException(
                    "its " + what + " has " + size + " bytes, at most " + MAX_EXTENSION_BYTES
                            + " are allowed");
        }
        byte[] data = new byte[(int) size];
        if (in.read(data) < size || in.skip(-size & (HEADER - 1)) < (-size & (HEADER - 1))) {
            throw truncated(what);
        }
        return data;
    }

    private void skipMember(TarHeader header) throws ImageException {
        long size = header.size();
        if (size < 0) {
            throw new IllegalArgumentException("its size is negative");
        }
        remaining = size;
        padding = -size & (HEADER - 1);
        skipContent();
    }

    private void skipContent() throws ImageException {
        if (in.skip(remaining) < remaining || in.skip(padding) < padding) {
            throw truncated("the content of a file");
        }
        remaining = 0;
        padding = 0;
    }

    private static byte[] or(byte @Nullable [] first, byte[] second) {
        return first == null ? second : first;
    }

    private static byte[] terminated(byte[] name) {
        int end = 0;
        while (end < name.length && name[end] != 0) {
            end++;
        }
        return Arrays.copyOf(name, end);
    }

    /** A name that may be anything, for people. */
    private static String name(byte[] name) {
        String text = new String(name, StandardCharsets.UTF_8).replaceAll("\\p{Cntrl}", "?");
        return text.length() > SHOWN_NAME ? text.substring(0, SHOWN_NAME) + "..." : text;
    }

    private static ImageException truncated(String where) {
        return corrupt("the archive ends in the middle of " + where, null);
    }

    private static ImageException corrupt(String what, @Nullable Throwable cause) {
        return new ImageException(Kind.CORRUPT, what, cause);
    }
}
