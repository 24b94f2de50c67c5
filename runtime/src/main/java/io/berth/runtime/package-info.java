/** The daemon. */
@NullMarked
package io.berth.runtime;

import org.jspecify.annotations.NullMarked;
