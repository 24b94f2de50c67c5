/** The supervisor {@code berth-shim}. */
@NullMarked
package io.berth.shim;

import org.jspecify.annotations.NullMarked;
