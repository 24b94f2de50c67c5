package io.berth.shim.log;

/** The loops of the C library, in Java. */
final class JavaMemory implements Memory {
    @Override
    public int lineFeed(byte[] bytes, int from, int to) {
        for (int i = from; i < to; i++) {
            if (bytes[i] == '\n') {
                return i;
            }
        }
        return -1;
    }

    @Override
    public void copy(byte[] from, int fromOffset, byte[] to, int toOffset, int count) {
        System.arraycopy(from, fromOffset, to, toOffset, count);
    }
}
