package io.berth.runtime.checkpoint;

import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import io.berth.linux.Stat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Writes a tar archive (POSIX.1-2001 pax) in one pass. Names, link targets and extended attributes are bytes, as the kernel
 * has them; times have nanoseconds.
 */
final class TarWriter implements AutoCloseable {
    private static final int BLOCK_BYTES = 512;
    private static final int NAME_BYTES = 100;
    private static final long MAX_OCTAL_7 = 07777777;
    private static final long MAX_OCTAL_11 = 077777777777L;
    private static final int COPY_BYTES = 128 << 10;
    private static final int PAX_MODE = 0644;

    private final OutputStream out;
    private final byte[] buffer = new byte[COPY_BYTES];

    /** @param out is closed with the writer */
    TarWriter(OutputStream out) {
        this.out = out;
    }

    /**
     * Writes an entry.
     *
     * @param name relative, without a slash at its end
     * @param link target of a symbolic link, or the entry that this one is another name of; null for neither
     * @param xattrs values by name
     * @param content exactly {@code stat.size()} bytes of a regular file that is no link; null where there is none
     */
    void add(RawPath name, Stat stat, @Nullable RawPath link, Map<String, byte[]> xattrs,
            @Nullable InputStream content) throws IOException {
        char type = type(stat, link);
        long size = content == null ? 0 : stat.size();
        byte[] path = type == '5' ? withSlash(name.toBytes()) : name.toBytes();
        byte[] target = link == null ? new byte[0] : link.toBytes();
        byte[] pax = pax(path, target, stat, size, xattrs);
        if (pax.length > 0) {
            out.write(header("pax".getBytes(StandardCharsets.US_ASCII), new byte[0], 'x', PAX_MODE, stat,
                    pax.length));
            out.write(pax);
            pad(pax.length);
        }
        out.write(header(path, target, type, stat.permissions(), stat, size));
        if (content != null) {
            copy(content, size, name);
            pad(size);
        }
    }

    /** A regular file of root's with mode 0600. */
    void add(String name, long size, InputStream content, long modifiedSeconds) throws IOException {
        Stat stat = new Stat(Openat.S_IFREG | 0600, 0, 0, 1, 0, size, 0, modifiedSeconds, 0, 0, 0, 0);
        add(RawPath.of(name), stat, null, Map.of(), content);
    }

    /** A directory of root's with mode 0700. */
    void addDirectory(String name, long modifiedSeconds) throws IOException {
        Stat stat = new Stat(Openat.S_IFDIR | 0700, 0, 0, 1, 0, 0, 0, modifiedSeconds, 0, 0, 0, 0);
        add(RawPath.of(name), stat, null, Map.of(), null);
    }

    /** Writes the end of the archive and closes the stream. */
    @Override
    public void close() throws IOException {
        try (out) {
            out.write(new byte[2 * BLOCK_BYTES]);
        }
    }

    private static char type(Stat stat, @Nullable RawPath link) {
        return switch (stat.type()) {
            case Openat.S_IFLNK -> '2';
            case Openat.S_IFCHR -> '3';
            case Openat.S_IFBLK -> '4';
            case Openat.S_IFDIR -> '5';
            case Openat.S_IFIFO -> '6';
            default -> link == null ? '0' : '1';
        };
    }

    private static byte[] withSlash(byte[] name) {
        byte[] result = Arrays.copyOf(name, name.length + 1);
        result[name.length] = '/';
        return result;
    }

    /** What does not fit a plain header. */
    private static byte[] pax(byte[] path, byte[] target, Stat stat, long size, Map<String, byte[]> xattrs) {
        Map<String, byte[]> records = new TreeMap<>();
        if (path.length > NAME_BYTES) {
            records.put("path", path);
        }
        if (target.length > NAME_BYTES) {
            records.put("linkpath", target);
        }
        if (size > MAX_OCTAL_11) {
            records.put("size", ascii(Long.toString(size)));
        }
        putIfLarge(records, "uid", stat.uid());
        putIfLarge(records, "gid", stat.gid());
        if (stat.modifiedNanos() != 0 || stat.modifiedSeconds() < 0) {
            records.put("mtime", ascii("%d.%09d".formatted(stat.modifiedSeconds(), stat.modifiedNanos())));
        }
        xattrs.forEach((name, value) -> records.put("SCHILY.xattr." + name, value));
        ByteArrayOutputStream pax = new ByteArrayOutputStream();
        records.forEach((key, value) -> record(pax, key, value));
        return pax.toByteArray();
    }

    private static void putIfLarge(Map<String, byte[]> records, String key, int id) {
        if (Integer.toUnsignedLong(id) > MAX_OCTAL_7) {
            records.put(key, ascii(Integer.toUnsignedString(id)));
        }
    }

    /** {@code LENGTH KEY=VALUE\n}, where the length counts its own digits. */
    private static void record(ByteArrayOutputStream pax, String key, byte[] value) {
        byte[] name = (" " + key + "=").getBytes(StandardCharsets.UTF_8);
        int rest = name.length + value.length + 1;
        int length = rest + Integer.toString(rest).length();
        if (Integer.toString(length).length() > Integer.toString(rest).length()) {
            length++;
        }
        pax.writeBytes(ascii(Integer.toString(length)));
        pax.writeBytes(name);
        pax.writeBytes(value);
        pax.write('\n');
    }

    private static byte[] header(byte[] path, byte[] target, char type, int mode, Stat stat, long size) {
        byte[] header = new byte[BLOCK_BYTES];
        System.arraycopy(path, 0, header, 0, Math.min(path.length, NAME_BYTES));
        octal(header, 100, 8, mode);
        octal(header, 108, 8, Math.min(Integer.toUnsignedLong(stat.uid()), MAX_OCTAL_7));
        octal(header, 116, 8, Math.min(Integer.toUnsignedLong(stat.gid()), MAX_OCTAL_7));
        octal(header, 124, 12, Math.min(size, MAX_OCTAL_11));
        octal(header, 136, 12, Math.clamp(stat.modifiedSeconds(), 0, MAX_OCTAL_11));
        header[156] = (byte) type;
        System.arraycopy(target, 0, header, 157, Math.min(target.length, NAME_BYTES));
        System.arraycopy(ascii("ustar\00000"), 0, header, 257, 8);
        octal(header, 329, 8, stat.rdevMajor());
        octal(header, 337, 8, stat.rdevMinor());
        Arrays.fill(header, 148, 156, (byte) ' ');
        long sum = 0;
        for (byte b : header) {
            sum += Byte.toUnsignedInt(b);
        }
        octal(header, 148, 7, sum);
        return header;
    }

    /** Digits and a NUL in {@code width} bytes. */
    private static void octal(byte[] header, int offset, int width, long value) {
        String digits = Long.toOctalString(value);
        Arrays.fill(header, offset, offset + width - 1, (byte) '0');
        byte[] bytes = ascii(digits);
        System.arraycopy(bytes, 0, header, offset + width - 1 - bytes.length, bytes.length);
        header[offset + width - 1] = 0;
    }

    private void copy(InputStream content, long size, RawPath name) throws IOException {
        long left = size;
        while (left > 0) {
            int read = content.read(buffer, 0, (int) Math.min(left, buffer.length));
            if (read < 0) {
                throw new IOException(name + " became shorter while it was archived");
            }
            out.write(buffer, 0, read);
            left -= read;
        }
    }

    private void pad(long size) throws IOException {
        int rest = (int) (size % BLOCK_BYTES);
        if (rest > 0) {
            out.write(new byte[BLOCK_BYTES - rest]);
        }
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }
}
