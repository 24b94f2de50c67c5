package io.berth.shim.log;

/** The two inner loops of framing, which the C library does faster than Java. Ranges are checked by the caller. */
public interface Memory {
    /** Index of the first line feed in the range, or -1. */
    int lineFeed(byte[] bytes, int from, int to);

    void copy(byte[] from, int fromOffset, byte[] to, int toOffset, int count);
}
