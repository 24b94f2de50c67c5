/** The CRI as its clients see it: a connection, and pods and containers over it. */
@NullMarked
package io.berth.e2e.cri;

import org.jspecify.annotations.NullMarked;
