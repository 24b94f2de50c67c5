package io.berth.shim.log;

/** Puts log records ({@code <time> <stream> <tag> <content>}) one behind the other, so that many go out in one write. */
public final class LogRecords {
    /** Longest content of one record; a longer line is cut into parts. */
    public static final int PART_BYTES = 16 * 1024;

    private static final int PREFIX_BYTES = Timestamp.LENGTH + 10;
    private static final int TAG = Timestamp.LENGTH + 8;

    private final byte[] buffer;
    private final Memory memory;
    private final LogSink sink;
    private final Timestamp time = new Timestamp();
    private final byte[] prefix = new byte[PREFIX_BYTES];
    private int length;

    /** @param buffer at least one part and its prefix long */
    public LogRecords(byte[] buffer, Memory memory, LogSink sink) {
        this.buffer = buffer;
        this.memory = memory;
        this.sink = sink;
    }

    /** Says what the following records have in common. */
    public void begin(boolean stderr, long nanos) {
        time.set(nanos);
        memory.copy(time.text(), 0, prefix, 0, Timestamp.LENGTH);
        String stream = stderr ? " stderr F " : " stdout F ";
        for (int i = 0; i < stream.length(); i++) {
            prefix[Timestamp.LENGTH + i] = (byte) stream.charAt(i);
        }
    }

    /** Adds one record of at most {@link #PART_BYTES}. */
    public void add(byte[] from, int offset, int count, boolean partial) {
        if (count < 0 || count > PART_BYTES || offset < 0 || offset > from.length - count) {
            return;
        }
        if (length > buffer.length - PREFIX_BYTES - count - 1) {
            flush();
        }
        prefix[TAG] = (byte) (partial ? 'P' : 'F');
        memory.copy(prefix, 0, buffer, length, PREFIX_BYTES);
        memory.copy(from, offset, buffer, length + PREFIX_BYTES, count);
        length += PREFIX_BYTES + count + 1;
        buffer[length - 1] = '\n';
    }

    /** Hands what is there to the sink. */
    public void flush() {
        if (length > 0) {
            sink.write(buffer, length);
            length = 0;
        }
    }
}
