package io.berth.shim.log;

/**
 * Cuts one output stream into log records. The caller reads into {@link #buffer} at {@link #writeOffset} and says how much;
 * the start of an unfinished line is kept there for the next time.
 */
public final class LineFramer {
    private final byte[] buffer;
    private final Memory memory;
    private final LogRecords records;
    private final boolean stderr;
    private int kept;

    /** @param buffer longer than one part */
    public LineFramer(byte[] buffer, Memory memory, LogRecords records, boolean stderr) {
        this.buffer = buffer;
        this.memory = memory;
        this.records = records;
        this.stderr = stderr;
    }

    public byte[] buffer() {
        return buffer;
    }

    public int writeOffset() {
        return kept;
    }

    /** Bytes of an unfinished line. */
    public int kept() {
        return kept;
    }

    /** Logs the {@code count} bytes that were read at {@link #writeOffset}. */
    public void accept(int count, long nanos) {
        int end = kept + count;
        if (count <= 0 || end > buffer.length) {
            return;
        }
        records.begin(stderr, nanos);
        int start = 0;
        int scanned = kept;
        while (true) {
            int feed = scanned < end ? memory.lineFeed(buffer, scanned, end) : -1;
            int lineEnd = feed < 0 ? end : feed;
            // A part is cut only when more of its line is there, so that no line ends in an empty record.
            while (lineEnd - start > LogRecords.PART_BYTES) {
                records.add(buffer, start, LogRecords.PART_BYTES, true);
                start += LogRecords.PART_BYTES;
            }
            if (feed < 0) {
                break;
            }
            records.add(buffer, start, feed - start, false);
            start = feed + 1;
            scanned = start;
        }
        kept = end - start;
        if (kept > 0 && start > 0) {
            // Ranges may overlap, but a kept part is at most a quarter of the buffer: where it would, copy byte by byte.
            if (start >= kept) {
                memory.copy(buffer, start, buffer, 0, kept);
            } else {
                for (int i = 0; i < kept; i++) {
                    buffer[i] = buffer[start + i];
                }
            }
        }
        records.flush();
    }

    /** Logs an unfinished line as a partial record; the stream has ended. */
    public void finish(long nanos) {
        if (kept > 0) {
            records.begin(stderr, nanos);
            records.add(buffer, 0, kept, true);
            kept = 0;
            records.flush();
        }
    }
}
