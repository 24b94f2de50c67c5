/** The mode {@code pause}: PID 1 of a PID namespace that a pod shares. */
@NullMarked
package io.berth.shim.pause;

import org.jspecify.annotations.NullMarked;
