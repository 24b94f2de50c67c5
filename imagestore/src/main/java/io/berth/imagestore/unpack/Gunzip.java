package io.berth.imagestore.unpack;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import java.util.zip.ZipException;

/**
 * Reads gzip (RFC 1952), as many members as there are, and accepts nothing after the last. Unlike
 * {@link java.util.zip.GZIPInputStream} it never guesses from {@code available()} whether another member follows.
 */
final class Gunzip extends InputStream {
    private static final int BUFFER_BYTES = 64 << 10;
    private static final int FLAG_HEADER_CRC = 2;
    private static final int FLAG_EXTRA = 4;
    private static final int FLAG_NAME = 8;
    private static final int FLAG_COMMENT = 16;
    private static final int FLAGS_RESERVED = 0xe0;

    private final InputStream in;
    private final Inflater inflater = new Inflater(true);
    private final CRC32 crc = new CRC32();
    private final byte[] buffer = new byte[BUFFER_BYTES];
    private final byte[] one = new byte[1];
    private int position;
    private int limit;
    private boolean inMember;
    private boolean ended;

    Gunzip(InputStream in) {
        this.in = in;
    }

    @Override
    public int read() throws IOException {
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] output, int offset, int length) throws IOException {
        while (true) {
            if (!inMember && !startMember()) {
                return -1;
            }
            int count = inflate(output, offset, length);
            crc.update(output, offset, count);
            if (inflater.finished()) {
                endMember();
            }
            if (count > 0) {
                return count;
            }
        }
    }

    @Override
    public void close() {
        inflater.end();
    }

    private int inflate(byte[] output, int offset, int length) throws IOException {
        try {
            int count;
            // Only an inflater that gives nothing wants input: it may hold output although it has consumed all of it.
            while ((count = inflater.inflate(output, offset, length)) == 0 && !inflater.finished()) {
                if (inflater.needsDictionary()) {
                    throw new ZipException("gzip data wants a preset dictionary");
                }
                if (position == limit) {
                    need();
                }
                inflater.setInput(buffer, position, limit - position);
                position = limit;
            }
            return count;
        } catch (DataFormatException e) {
            throw new ZipException("gzip data is damaged: " + e.getMessage());
        }
    }

    private boolean startMember() throws IOException {
        if (ended || (position == limit && !fill())) {
            ended = true;
            return false;
        }
        if (next() != 0x1f || next() != 0x8b) {
            throw new ZipException("trailing bytes after the gzip data");
        }
        if (next() != 8) {
            throw new ZipException("gzip data uses an unknown compression method");
        }
        int flags = next();
        if ((flags & FLAGS_RESERVED) != 0) {
            throw new ZipException("gzip header has reserved flags");
        }
        skip(6);
        if ((flags & FLAG_EXTRA) != 0) {
            skip(next() | next() << 8);
        }
        if ((flags & FLAG_NAME) != 0) {
            skipString();
        }
        if ((flags & FLAG_COMMENT) != 0) {
            skipString();
        }
        if ((flags & FLAG_HEADER_CRC) != 0) {
            skip(2);
        }
        inMember = true;
        return true;
    }

    private void endMember() throws IOException {
        position = limit - inflater.getRemaining();
        long expectedCrc = nextInt();
        long expectedSize = nextInt();
        if (expectedCrc != crc.getValue() || expectedSize != (inflater.getBytesWritten() & 0xffffffffL)) {
            throw new ZipException("gzip data does not match its checksum");
        }
        inflater.reset();
        crc.reset();
        inMember = false;
    }

    private void skipString() throws IOException {
        while (next() != 0) {
            // A zero ends it.
        }
    }

    private void skip(int count) throws IOException {
        for (int i = 0; i < count; i++) {
            next();
        }
    }

    private long nextInt() throws IOException {
        return next() | next() << 8 | next() << 16 | (long) next() << 24;
    }

    private int next() throws IOException {
        if (position == limit) {
            need();
        }
        return buffer[position++] & 0xff;
    }

    private void need() throws IOException {
        if (!fill()) {
            throw new EOFException("gzip data ends too early");
        }
    }

    private boolean fill() throws IOException {
        int count = in.read(buffer, 0, buffer.length);
        position = 0;
        limit = Math.max(count, 0);
        return count > 0;
    }
}
