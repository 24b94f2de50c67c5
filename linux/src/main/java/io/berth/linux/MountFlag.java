package io.berth.linux;

import java.util.Collection;

/** A flag of {@code mount(2)}. */
public enum MountFlag {
    READ_ONLY(1), NO_SUID(2), NO_DEV(4), NO_EXEC(8), SYNCHRONOUS(16), REMOUNT(32), NO_SYMLINK_FOLLOW(
            256), NO_ATIME(
                    1024), NO_DIR_ATIME(2048), BIND(4096), MOVE(
                            8192), RECURSIVE(16384), SILENT(32768), UNBINDABLE(
                                    1 << 17), PRIVATE(1 << 18), SLAVE(1 << 19), SHARED(
                                            1 << 20), RELATIME(1 << 21), STRICT_ATIME(
                                                    1 << 24), LAZY_TIME(1 << 25);

    private final long bit;

    MountFlag(long bit) {
        this.bit = bit;
    }

    /** The kernel's bit. */
    public long bit() {
        return bit;
    }

    static long bits(Collection<MountFlag> flags) {
        long bits = 0;
        for (MountFlag flag : flags) {
            bits |= flag.bit;
        }
        return bits;
    }
}
