package io.berth.imagestore.unpack;

import io.berth.linux.FileTimes;
import io.berth.linux.RawPath;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One member of a tar archive, with what its extended headers say already applied.
 *
 * @param path where it goes
 * @param link target of a symbolic or hard link as the archive has it; null for other types
 * @param mode permission bits with set-user-ID, set-group-ID and sticky, without the type
 * @param dataBytes bytes of content that follow in the archive, before padding
 * @param sparse extents of the content where the file has holes, with the file's size; null where it has none
 * @param xattrs values by full name, such as {@code security.capability}
 */
record TarEntry(TarPath path, Type type, @Nullable RawPath link, int mode, int uid, int gid, FileTimes times,
        long dataBytes, @Nullable Sparse sparse, long deviceMajor, long deviceMinor,
        Map<String, byte[]> xattrs) {

    enum Type {
        FILE, DIRECTORY, SYMBOLIC_LINK, HARD_LINK, CHARACTER_DEVICE, BLOCK_DEVICE, FIFO
    }

    /** The same at another path. */
    TarEntry at(TarPath other) {
        return new TarEntry(other, type, link, mode, uid, gid, times, dataBytes, sparse, deviceMajor,
                deviceMinor,
                xattrs);
    }

    /** Where the content of a sparse file goes, ascending. */
    record Sparse(long fileSize, List<Extent> extents) {
        /** {@code length} bytes at {@code offset} of the file. */
        record Extent(long offset, long length) {}

        /** Why these extents fit no file with {@code dataBytes} in the archive; null where they do. */
        @Nullable
        String fault(long dataBytes) {
            long end = 0;
            long data = 0;
            for (Extent extent : extents) {
                if (extent.offset < end || extent.length < 0
                        || extent.offset > Long.MAX_VALUE - extent.length) {
                    return "its sparse map is not ascending at offset " + extent.offset;
                }
                end = extent.offset + extent.length;
                data += extent.length;
            }
            if (end > fileSize) {
                return "its sparse map reaches to " + end + ", beyond its size of " + fileSize;
            }
            return data == dataBytes
                    ? null
                    : "its sparse map has " + data + " bytes, the archive " + dataBytes;
        }
    }
}
