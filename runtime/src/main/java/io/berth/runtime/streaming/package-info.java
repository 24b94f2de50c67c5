/**
 * The streaming server of Exec, Attach and PortForward: single-use URLs, SPDY/3.1 and WebSocket, as kubelet and crictl
 * speak them.
 */
@NullMarked
package io.berth.runtime.streaming;

import org.jspecify.annotations.NullMarked;
