package io.berth.linux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * What {@code statx(2)} says about a file.
 *
 * @param mode type and permissions
 * @param blocks of 512 bytes on disk
 * @param modifiedSeconds since the epoch
 * @param device of the file system, in no promised encoding; equal for files of one
 */
public record Stat(int mode, int uid, int gid, long links, long inode, long size, long blocks,
        long modifiedSeconds,
        int modifiedNanos, int rdevMajor, int rdevMinor, long device) {
    static final int STATX_BYTES = 256;

    static Stat of(byte[] statx) {
        ByteBuffer buffer = ByteBuffer.wrap(statx).order(ByteOrder.nativeOrder());
        return new Stat(Short.toUnsignedInt(buffer.getShort(28)), buffer.getInt(20), buffer.getInt(24),
                Integer.toUnsignedLong(buffer.getInt(16)), buffer.getLong(32), buffer.getLong(40),
                buffer.getLong(48),
                buffer.getLong(112), buffer.getInt(120), buffer.getInt(128), buffer.getInt(132),
                Integer.toUnsignedLong(buffer.getInt(136)) << 32
                        | Integer.toUnsignedLong(buffer.getInt(140)));
    }

    /** The type bits of {@link #mode}, an {@code S_IF} constant of {@link Openat}. */
    public int type() {
        return mode & Openat.S_IFMT;
    }

    public boolean isDirectory() { return type() == Openat.S_IFDIR; }

    /** The mode without its type. */
    public int permissions() {
        return mode & 07777;
    }
}
