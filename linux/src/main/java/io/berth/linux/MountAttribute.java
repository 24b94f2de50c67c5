package io.berth.linux;

import java.util.Collection;

/** An attribute of a mount for {@code fsmount(2)} and {@code mount_setattr(2)}. */
public enum MountAttribute {
    READ_ONLY(0x1), NO_SUID(0x2), NO_DEV(0x4), NO_EXEC(0x8), NO_ATIME(0x10), NO_DIR_ATIME(
            0x80), NO_SYMLINK_FOLLOW(
                    0x200000);

    private final long bit;

    MountAttribute(long bit) {
        this.bit = bit;
    }

    /** The kernel's bit. */
    public long bit() {
        return bit;
    }

    static long bits(Collection<MountAttribute> attributes) {
        long bits = 0;
        for (MountAttribute attribute : attributes) {
            bits |= attribute.bit;
        }
        return bits;
    }
}
