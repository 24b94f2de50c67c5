package io.berth.runtime.service;

import io.berth.linux.NamespaceType;
import io.berth.linux.Namespaces;
import io.berth.runtime.container.ContainerLifecycle;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.sandbox.Sandbox;
import io.berth.runtime.sandbox.Sandboxes;
import io.berth.runtime.shim.ExecSession;
import io.berth.runtime.streaming.StreamRequest;
import io.berth.runtime.streaming.StreamingBackend;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ProtocolFamily;
import java.net.StandardProtocolFamily;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Gives the streaming server the stdio of this node's containers and the ports of its sandboxes. */
final class NodeStreams implements StreamingBackend {
    private final ContainerLifecycle containers;
    private final Sandboxes sandboxes;

    NodeStreams(ContainerLifecycle containers, Sandboxes sandboxes) {
        this.containers = containers;
        this.sandboxes = sandboxes;
    }

    @Override
    public ExecSession exec(StreamRequest.Exec request) throws IOException {
        try {
            return containers.exec(request.containerId(), request.command(), request.tty(), request.stdin());
        } catch (LifecycleException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    @Override
    public ExecSession attach(StreamRequest.Attach request) throws IOException {
        try {
            return containers.attach(request.containerId());
        } catch (LifecycleException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    @Override
    public SocketChannel connect(String sandboxId, int port) throws IOException {
        Sandbox sandbox;
        try {
            sandbox = sandboxes.require(sandboxId);
        } catch (LifecycleException e) {
            throw new IOException(e.getMessage(), e);
        }
        try {
            return connect(sandbox, StandardProtocolFamily.INET, "127.0.0.1", port);
        } catch (ConnectException refused) {
            try {
                return connect(sandbox, StandardProtocolFamily.INET6, "::1", port);
            } catch (IOException alsoRefused) {
                refused.addSuppressed(alsoRefused);
                throw refused;
            }
        }
    }

    /** A socket stays in the namespace in which it was opened, so connecting it needs no thread there. */
    private static SocketChannel connect(Sandbox sandbox, ProtocolFamily family, String loopback, int port)
            throws IOException {
        @Nullable
        Path netns = sandbox.record().namespaces().get("network");
        SocketChannel channel = netns == null
                ? SocketChannel.open(family)
                : Namespaces.callIn(Map.of(NamespaceType.NETWORK, netns), () -> SocketChannel.open(family));
        try {
            channel.connect(new InetSocketAddress(InetAddress.ofLiteral(loopback), port));
            return channel;
        } catch (IOException e) {
            channel.close();
            throw e;
        }
    }
}
