package io.berth.imagestore.metadata;

/**
 * What a directory must have in a snapshot, where the topmost layer that has the directory says nothing about it.
 *
 * @param path relative, as ISO-8859-1, {@code ""} for the root
 * @param mode permission bits
 */
public record DirectoryAttributes(String path, int mode, int uid, int gid, long modifiedSeconds,
        int modifiedNanos) {}
