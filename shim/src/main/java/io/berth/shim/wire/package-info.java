/** The protocol between the supervisor and the daemon, see {@code docs/shim-protocol.md}. Runs on the JVM, too. */
@NullMarked
package io.berth.shim.wire;

import org.jspecify.annotations.NullMarked;
