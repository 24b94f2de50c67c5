/**
 * What a checkpoint is made of on disk: the archive of a container in the layout that {@code checkpointctl} reads, the
 * changes of its root filesystem, and what criu says when it fails. Who makes one is in {@code container} and {@code pod}.
 */
@NullMarked
package io.berth.runtime.checkpoint;

import org.jspecify.annotations.NullMarked;
