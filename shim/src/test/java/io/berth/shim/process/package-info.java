/** The native binary, tested as a process. */
@NullMarked
package io.berth.shim.process;

import org.jspecify.annotations.NullMarked;
