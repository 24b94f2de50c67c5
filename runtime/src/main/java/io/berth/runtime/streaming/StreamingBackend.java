package io.berth.runtime.streaming;

import io.berth.runtime.shim.ExecSession;
import java.io.IOException;
import java.nio.channels.SocketChannel;

/** What the streaming server needs of the containers; called on virtual threads, when a client has come for its URL. */
public interface StreamingBackend {
    /** Starts the process. */
    ExecSession exec(StreamRequest.Exec request) throws IOException;

    /** Joins the container's stdio. */
    ExecSession attach(StreamRequest.Attach request) throws IOException;

    /** A blocking connection to {@code port} on the loopback of the sandbox's network namespace. */
    SocketChannel connect(String sandboxId, int port) throws IOException;
}
