package io.berth.imagestore.record;

import java.util.List;
import java.util.Map;

/**
 * One item of a layer's record. Paths are relative to the layer, as ISO-8859-1 (one character for each byte), {@code ""} for
 * the layer's root; they are where the file is, whatever links the archive's own name led through.
 */
public sealed interface RecordItem {
    /** Bytes of the tar that are no file's content: headers, padding, what follows the last entry. */
    final class Tar implements RecordItem {
        private final byte[] bytes;

        Tar(byte[] bytes) {
            this.bytes = bytes;
        }

        /** Not copied; nobody changes them. */
        byte[] bytes() {
            return bytes;
        }
    }

    /** Something that an entry of the archive made. */
    sealed interface Made extends RecordItem {
        /** Where it was made. */
        String path();
    }

    /**
     * A regular file. In the tar the content of its extents stands here.
     *
     * @param size of the file, in bytes
     * @param extents where the file has content, ascending; holes are between them
     * @param crc32c of the extents' content, in order
     */
    record File(String path, Attributes attributes, long size, List<Extent> extents, int crc32c)
            implements
                Made {
        public File {
            extents = List.copyOf(extents);
        }
    }

    /** {@code length} bytes at {@code offset} of a file. */
    record Extent(long offset, long length) {}

    /** A symbolic link; its target as ISO-8859-1, too. */
    record Symlink(String path, Attributes attributes, String target) implements Made {}

    /** A device or FIFO; {@code type} is an {@code S_IF} constant. */
    record Node(String path, Attributes attributes, int type, int major, int minor) implements Made {}

    /** Another name of the file that was at {@code target} then. */
    record HardLink(String path, String target) implements Made {}

    /**
     * A later entry took the place of what was at {@code path} (a file, or a directory with all below it). It was kept under
     * the name {@code index} of the directory for displaced files.
     */
    record Displaced(String path, int index) implements RecordItem {}

    /** A directory as it is at the end. */
    record Directory(String path, Attributes attributes, boolean opaque) implements RecordItem {}

    /** A directory that the archive only implies: mode 0755, owned by root, at whatever time. */
    record Implied(String path, boolean opaque) implements RecordItem {}

    /** A whiteout as it is at the end. */
    record Whiteout(String path) implements RecordItem {}

    /**
     * What a file was given.
     *
     * @param mode permission bits with set-user-ID, set-group-ID and sticky; of no meaning for a symbolic link
     * @param modifiedSeconds since the epoch
     * @param xattrs values by full name
     */
    record Attributes(int mode, int uid, int gid, long modifiedSeconds, int modifiedNanos,
            Map<String, byte[]> xattrs) {}
}
