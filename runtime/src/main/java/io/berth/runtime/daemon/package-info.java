/** The daemon's process: its locks, its socket, its start and its end. */
@NullMarked
package io.berth.runtime.daemon;

import org.jspecify.annotations.NullMarked;
