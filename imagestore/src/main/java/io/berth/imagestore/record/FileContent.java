package io.berth.imagestore.record;

import io.berth.imagestore.record.RecordItem.Extent;
import io.berth.linux.Fd;
import io.berth.linux.FileIo;
import io.berth.linux.LinuxException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/** Reads the content of a layer's files as its record says where they have it. */
final class FileContent {
    private static final int BUFFER_BYTES = 256 << 10;

    private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
    private final long address = FileIo.address(buffer);
    private final byte[] array = new byte[BUFFER_BYTES];
    private final CRC32C checksum = new CRC32C();
    private long bytesRead;

    /** Takes content, which is in its array until it returns. */
    @FunctionalInterface
    interface Sink {
        void accept(byte[] bytes, int length) throws IOException;
    }

    /** How the content of a file compares with its record. */
    enum Comparison {
        SAME, OTHER_BYTES, TOO_SHORT, BYTES_IN_HOLE
    }

    /** Reads the extents of {@code recorded} from {@code file} into {@code sink}, all that are there. */
    Comparison read(Fd file, RecordItem.File recorded, Sink sink) throws IOException {
        checksum.reset();
        long end = 0;
        boolean holesAreEmpty = true;
        for (Extent extent : recorded.extents()) {
            holesAreEmpty &= isHole(file, end, extent.offset(), recorded.path());
            for (long done = 0; done < extent.length();) {
                int count = read(file, extent.offset() + done, extent.length() - done, recorded.path());
                if (count == 0) {
                    return Comparison.TOO_SHORT;
                }
                checksum.update(array, 0, count);
                sink.accept(array, count);
                done += count;
            }
            end = extent.offset() + extent.length();
        }
        holesAreEmpty &= isHole(file, end, recorded.size(), recorded.path());
        if ((int) checksum.getValue() != recorded.crc32c()) {
            return Comparison.OTHER_BYTES;
        }
        return holesAreEmpty ? Comparison.SAME : Comparison.BYTES_IN_HOLE;
    }

    /** Bytes read so far, over all files. */
    long bytesRead() {
        return bytesRead;
    }

    /** Whether there are only zeros; what the file system itself knows as a hole is not read. */
    private boolean isHole(Fd file, long from, long to, String path) throws LinuxException {
        long at = from;
        while (at < to) {
            at = FileIo.nextData(file, at, path);
            if (at < 0 || at >= to) {
                return true;
            }
            int count = read(file, at, to - at, path);
            if (count == 0) {
                return true;
            }
            for (int i = 0; i < count; i++) {
                if (array[i] != 0) {
                    return false;
                }
            }
            at += count;
        }
        return true;
    }

    private int read(Fd file, long offset, long max, String path) throws LinuxException {
        int count = (int) FileIo.pread(file, address, Math.min(max, BUFFER_BYTES), offset, path);
        buffer.get(0, array, 0, count);
        bytesRead += count;
        return count;
    }
}
