package io.berth.imagestore.unpack;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Writes tar byte by byte, well-formed or not as a test wants. */
public final class TarBuilder {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    /** One entry; defaults of a root-owned file. */
    public static final class Entry {
        final String name;
        final char type;
        String link = "";
        long mode = 0644;
        long uid;
        long gid;
        long modified = 1_700_000_000;
        long major;
        long minor;
        byte[] data = new byte[0];
        @Nullable
        Long size;
        final Map<String, byte[]> pax = new LinkedHashMap<>();

        private Entry(String name, char type) {
            this.name = name;
            this.type = type;
        }

        public Entry mode(long value) {
            mode = value;
            return this;
        }

        public Entry owner(long user, long group) {
            uid = user;
            gid = group;
            return this;
        }

        public Entry modified(long seconds) {
            modified = seconds;
            return this;
        }

        public Entry data(byte[] value) {
            data = value;
            return this;
        }

        public Entry size(long value) {
            size = value;
            return this;
        }

        public Entry link(String target) {
            link = target;
            return this;
        }

        public Entry device(long majorNumber, long minorNumber) {
            major = majorNumber;
            minor = minorNumber;
            return this;
        }

        public Entry pax(String key, byte[] value) {
            pax.put(key, value);
            return this;
        }

        public Entry pax(String key, String value) {
            return pax(key, value.getBytes(StandardCharsets.UTF_8));
        }
    }

    public static Entry file(String name, String content) {
        return new Entry(name, '0').data(content.getBytes(StandardCharsets.UTF_8));
    }

    public static Entry file(String name, byte[] content) {
        return new Entry(name, '0').data(content);
    }

    public static Entry directory(String name) {
        return new Entry(name, '5').mode(0755);
    }

    public static Entry symlink(String name, String target) {
        return new Entry(name, '2').link(target).mode(0777);
    }

    public static Entry hardLink(String name, String target) {
        return new Entry(name, '1').link(target);
    }

    public static Entry of(char type, String name) {
        return new Entry(name, type);
    }

    public TarBuilder add(Entry entry) {
        if (!entry.pax.isEmpty()) {
            ByteArrayOutputStream records = new ByteArrayOutputStream();
            entry.pax.forEach((key, value) -> records.writeBytes(record(key, value)));
            header(new Entry("PaxHeaders/x", 'x'), records.size());
            padded(records.toByteArray());
        }
        longName('L', entry.name);
        longName('K', entry.link);
        header(entry, entry.size == null ? entry.data.length : entry.size);
        padded(entry.data);
        return this;
    }

    /** Raw bytes, padded to nothing. */
    public TarBuilder raw(byte[] bytes) {
        out.writeBytes(bytes);
        return this;
    }

    /** The archive with its two zero blocks. */
    public byte[] build() {
        byte[] tar = unterminated();
        return java.util.Arrays.copyOf(tar, tar.length + 1024);
    }

    /** The archive without its end. */
    public byte[] unterminated() {
        return out.toByteArray();
    }

    private void longName(char type, String name) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > 100) {
            header(new Entry("././@LongLink", type), bytes.length + 1L);
            padded(java.util.Arrays.copyOf(bytes, bytes.length + 1));
        }
    }

    private void header(Entry entry, long size) {
        byte[] block = new byte[512];
        text(block, 0, 100, entry.name);
        number(block, 100, 8, entry.mode);
        number(block, 108, 8, entry.uid);
        number(block, 116, 8, entry.gid);
        number(block, 124, 12, size);
        number(block, 136, 12, entry.modified);
        block[156] = (byte) entry.type;
        text(block, 157, 100, entry.link);
        text(block, 257, 6, "ustar");
        text(block, 263, 2, "00");
        number(block, 329, 8, entry.major);
        number(block, 337, 8, entry.minor);
        checksum(block);
        out.writeBytes(block);
    }

    static void checksum(byte[] block) {
        java.util.Arrays.fill(block, 148, 156, (byte) ' ');
        int sum = 0;
        for (byte b : block) {
            sum += b & 0xff;
        }
        text(block, 148, 8, String.format(java.util.Locale.ROOT, "%06o", sum));
        block[154] = 0;
        block[155] = ' ';
    }

    static void text(byte[] block, int offset, int length, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        System.arraycopy(bytes, 0, block, offset, Math.min(bytes.length, length));
    }

    /** Octal where it fits, else base-256 as GNU tar. */
    static void number(byte[] block, int offset, int length, long value) {
        String octal = Long.toOctalString(value);
        if (value >= 0 && octal.length() < length) {
            text(block, offset, length, "0".repeat(length - 1 - octal.length()) + octal);
            return;
        }
        for (int i = 0; i < length; i++) {
            int shift = 8 * (length - 1 - i);
            block[offset + i] = (byte) (shift > 56 ? (value < 0 ? 0xff : 0) : value >> shift);
        }
        block[offset] = (byte) (block[offset] | 0x80);
    }

    private void padded(byte[] data) {
        out.writeBytes(data);
        out.writeBytes(new byte[-data.length & 511]);
    }

    private static byte[] record(String key, byte[] value) {
        int body = key.getBytes(StandardCharsets.UTF_8).length + value.length + 3;
        int length = body + Integer.toString(body).length();
        if (Integer.toString(length).length() > Integer.toString(body).length()) {
            length++;
        }
        ByteArrayOutputStream record = new ByteArrayOutputStream();
        record.writeBytes((length + " " + key + "=").getBytes(StandardCharsets.UTF_8));
        record.writeBytes(value);
        record.write('\n');
        return record.toByteArray();
    }
}
