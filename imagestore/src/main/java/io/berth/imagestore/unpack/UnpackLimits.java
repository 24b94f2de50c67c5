package io.berth.imagestore.unpack;

/**
 * What one layer may at most contain, against archives made to fill a node.
 *
 * @param maxEntries tar entries
 * @param maxBytes bytes of the uncompressed tar
 */
public record UnpackLimits(long maxEntries, long maxBytes) {
    /** Four million entries, 256 GiB: more than any image that is known to run. */
    public static final UnpackLimits DEFAULT = new UnpackLimits(4_000_000, 256L << 30);
}
