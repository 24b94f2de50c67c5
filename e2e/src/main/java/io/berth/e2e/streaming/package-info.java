/** Clients of the URLs that the CRI calls Exec, Attach and PortForward return. */
@NullMarked
package io.berth.e2e.streaming;

import org.jspecify.annotations.NullMarked;
