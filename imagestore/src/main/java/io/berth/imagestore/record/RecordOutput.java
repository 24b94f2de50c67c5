package io.berth.imagestore.record;

import io.berth.linux.Fd;
import io.berth.linux.FileIo;
import io.berth.linux.LinuxException;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Objects;

/** Writes a new file by system calls, whose errors say their number, and hashes what it writes. */
final class RecordOutput extends OutputStream {
    private static final int STAGE_BYTES = 64 << 10;
    private static final int NEW_FILE = OpenFlags.O_WRONLY | OpenFlags.O_CREAT | OpenFlags.O_EXCL
            | OpenFlags.O_NOFOLLOW;

    private final Path path;
    private final Fd file;
    private final MessageDigest hash;
    private final ByteBuffer stage = ByteBuffer.allocateDirect(STAGE_BYTES);
    private final long stageAddress = FileIo.address(stage);
    private long written;

    RecordOutput(Path path, MessageDigest hash) throws LinuxException {
        this.path = path;
        this.hash = hash;
        Path parent = Objects.requireNonNull(path.getParent(), "a record is in a directory");
        try (Fd directory = Openat.open(RawPath.of(parent), OpenFlags.O_PATH | OpenFlags.O_DIRECTORY)) {
            this.file = Openat.open(directory, RawPath.of(path.getFileName()), NEW_FILE, 0600);
        }
    }

    @Override
    public void write(int b) throws LinuxException {
        write(new byte[]{(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws LinuxException {
        hash.update(bytes, offset, length);
        for (int done = 0; done < length;) {
            if (!stage.hasRemaining()) {
                flush();
            }
            int count = Math.min(length - done, stage.remaining());
            stage.put(bytes, offset + done, count);
            done += count;
        }
    }

    @Override
    public void flush() throws LinuxException {
        int count = stage.position();
        stage.clear();
        FileIo.write(file, stageAddress, count, path);
        written += count;
    }

    /** Bytes in the file. */
    long written() {
        return written;
    }

    @Override
    public void close() throws LinuxException {
        try {
            flush();
        } finally {
            file.close();
        }
    }
}
