package io.berth.runtime.container;

import io.berth.runtime.checkpoint.CheckpointDirectory;
import io.berth.runtime.checkpoint.ConfigDump;

/**
 * A checkpoint that a container is made from.
 *
 * @param files unpacked, in the container's own directory; they stay until it has been started
 * @param origin the archive or image that they came from, for errors
 * @param exact whether the request must describe the checkpointed process itself: image, command line, environment
 */
record Restore(CheckpointDirectory files, ConfigDump dump, String origin, boolean exact) {}
