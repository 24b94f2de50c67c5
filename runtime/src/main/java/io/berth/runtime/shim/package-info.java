/** The daemon's side of berth-shim. */
@NullMarked
package io.berth.runtime.shim;

import org.jspecify.annotations.NullMarked;
