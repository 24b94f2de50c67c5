package io.berth.shim.log;

/** Takes whole log records. */
public interface LogSink {
    /** The bytes are whole records, each ended by a line feed. Must not fail: what cannot be stored is dropped and counted. */
    void write(byte[] records, int length);
}
