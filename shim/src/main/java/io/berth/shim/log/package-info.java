/** The CRI log format. Runs on the JVM, too. */
@NullMarked
package io.berth.shim.log;

import org.jspecify.annotations.NullMarked;
