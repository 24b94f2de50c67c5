/** The C library, and the little that every mode of the supervisor needs around it. Native only. */
@NullMarked
package io.berth.shim.libc;

import org.jspecify.annotations.NullMarked;
