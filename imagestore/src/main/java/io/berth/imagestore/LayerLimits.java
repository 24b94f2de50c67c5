package io.berth.imagestore;

/**
 * What one layer may at most contain, against archives made to fill a node. Other limits are the formats' and the kernel's
 * own: a path has at most 4095 bytes and a name 255, an extended header 1 MiB, an extended attribute 64 KiB.
 *
 * @param entries tar entries
 * @param bytes bytes of the uncompressed tar, and of a sparse file with its holes
 * @param ratio how many times its blob's size a layer may unpack to, from {@link #RATIO_FREE_BYTES} on
 */
public record LayerLimits(long entries, long bytes, long ratio) {
    /** What every layer may have, however small its blob is: an empty disk image compresses well. */
    public static final long RATIO_FREE_BYTES = 1L << 30;

    /** Four million entries, 256 GiB, and a thousand to one: more than any image that is known to run. */
    public static final LayerLimits DEFAULT = new LayerLimits(4_000_000, 256L << 30, 1000);
}
