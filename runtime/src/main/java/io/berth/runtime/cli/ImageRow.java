package io.berth.runtime.cli;

import java.util.List;

/**
 * An image as the commands show it.
 *
 * @param sizeBytes 0 where it is not known, as after an import
 */
record ImageRow(String id, List<String> tags, List<String> digests, long sizeBytes, boolean pinned) {}
