package io.berth.imagestore.unpack;

import java.util.Arrays;

/** One 512-byte header block: fields by their place, of the v7, ustar and GNU formats. */
final class TarHeader {
    static final int BLOCK_BYTES = 512;

    private static final int CHECKSUM_OFFSET = 148;
    private static final int CHECKSUM_LENGTH = 8;

    private final byte[] block;

    TarHeader(byte[] block) {
        this.block = block;
    }

    /** Whether all bytes are zero, as two blocks at an archive's end are. */
    boolean isZero() {
        for (byte b : block) {
            if (b != 0) {
                return false;
            }
        }
        return true;
    }

    /** Whether the checksum fits, summed unsigned as POSIX says or signed as old tars did. */
    boolean hasValidChecksum() {
        long expected = number(CHECKSUM_OFFSET, CHECKSUM_LENGTH);
        long unsigned = 0;
        long signed = 0;
        for (int i = 0; i < BLOCK_BYTES; i++) {
            boolean inChecksum = i >= CHECKSUM_OFFSET && i < CHECKSUM_OFFSET + CHECKSUM_LENGTH;
            byte b = inChecksum ? (byte) ' ' : block[i];
            unsigned += b & 0xff;
            signed += b;
        }
        return expected == unsigned || expected == signed;
    }

    /** The name with ustar's prefix before it. */
    byte[] name() {
        byte[] name = string(0, 100);
        boolean ustar = block[257] == 'u' && block[258] == 's' && block[259] == 't' && block[260] == 'a'
                && block[261] == 'r' && block[262] == 0;
        byte[] prefix = ustar ? string(345, 155) : new byte[0];
        if (prefix.length == 0) {
            return name;
        }
        byte[] whole = Arrays.copyOf(prefix, prefix.length + 1 + name.length);
        whole[prefix.length] = '/';
        System.arraycopy(name, 0, whole, prefix.length + 1, name.length);
        return whole;
    }

    long mode() {
        return number(100, 8);
    }

    long uid() {
        return number(108, 8);
    }

    long gid() {
        return number(116, 8);
    }

    long size() {
        return number(124, 12);
    }

    long modified() {
        return number(136, 12);
    }

    char type() {
        return (char) (block[156] & 0xff);
    }

    byte[] linkName() {
        return string(157, 100);
    }

    long deviceMajor() {
        return number(329, 8);
    }

    long deviceMinor() {
        return number(337, 8);
    }

    /** Offset of the i-th of four extents in an old GNU sparse header. */
    long sparseOffset(int index) {
        return number(386 + 24 * index, 12);
    }

    long sparseLength(int index) {
        return number(386 + 24 * index + 12, 12);
    }

    boolean sparseExtended() {
        return block[482] != 0;
    }

    long sparseFileSize() {
        return number(483, 12);
    }

    /**
     * A number field: octal digits between spaces and zeros, or base-256 where the first bit is set.
     *
     * @throws NumberFormatException where it is neither
     */
    static long number(byte[] bytes, int offset, int length) {
        if ((bytes[offset] & 0x80) != 0) {
            return base256(bytes, offset, length);
        }
        int start = offset;
        int end = offset + length;
        while (start < end && (bytes[start] == ' ' || bytes[start] == 0)) {
            start++;
        }
        long value = 0;
        int i = start;
        for (; i < end && bytes[i] >= '0' && bytes[i] <= '7'; i++) {
            value = value << 3 | (bytes[i] - '0');
        }
        for (; i < end; i++) {
            if (bytes[i] != ' ' && bytes[i] != 0) {
                throw new NumberFormatException("bad number in the header at byte " + offset);
            }
        }
        return value;
    }

    private long number(int offset, int length) {
        return number(block, offset, length);
    }

    private static long base256(byte[] bytes, int offset, int length) {
        boolean negative = (bytes[offset] & 0x40) != 0;
        long value = negative ? bytes[offset] : bytes[offset] & 0x3f;
        for (int i = offset + 1; i < offset + length; i++) {
            if (value > Long.MAX_VALUE >> 8 || value < Long.MIN_VALUE >> 8) {
                throw new NumberFormatException("number in the header at byte " + offset + " is too large");
            }
            value = value << 8 | (bytes[i] & 0xff);
        }
        return value;
    }

    private byte[] string(int offset, int length) {
        int end = offset;
        while (end < offset + length && block[end] != 0) {
            end++;
        }
        return Arrays.copyOfRange(block, offset, end);
    }
}
