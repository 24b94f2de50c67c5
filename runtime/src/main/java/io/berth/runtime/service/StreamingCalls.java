package io.berth.runtime.service;

import io.berth.cri.v1.AttachRequest;
import io.berth.cri.v1.ExecRequest;
import io.berth.cri.v1.PortForwardRequest;
import io.berth.runtime.container.Container;
import io.berth.runtime.container.ContainerLifecycle;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.sandbox.Sandbox;
import io.berth.runtime.sandbox.Sandboxes;
import io.berth.runtime.streaming.StreamRequest;
import io.berth.runtime.streaming.StreamingServer;
import io.grpc.Status;
import io.grpc.StatusException;

/** CRI {@code Exec}, {@code Attach} and {@code PortForward}: checks the request and gives a URL for the client. */
final class StreamingCalls {
    private final StreamingServer server;
    private final ContainerLifecycle containers;
    private final Sandboxes sandboxes;

    StreamingCalls(StreamingServer server, ContainerLifecycle containers, Sandboxes sandboxes) {
        this.server = server;
        this.containers = containers;
        this.sandboxes = sandboxes;
    }

    String exec(ExecRequest request) throws LifecycleException, StatusException {
        need(request.getCmdCount() > 0, "cmd is empty; name the program to run");
        checkStreams(request.getTty(), request.getStdin(), request.getStdout(), request.getStderr());
        Container container = containers.requireRunning(request.getContainerId());
        return url(new StreamRequest.Exec(container.id(), request.getCmdList(), request.getTty(),
                request.getStdin(), request.getStdout(), request.getStderr()));
    }

    String attach(AttachRequest request) throws LifecycleException, StatusException {
        checkStreams(request.getTty(), request.getStdin(), request.getStdout(), request.getStderr());
        Container container = containers.requireRunning(request.getContainerId());
        boolean terminal = container.record().config().getTty();
        need(request.getTty() == terminal, "tty is " + request.getTty() + ", but container " + container.id()
                + " was made with tty " + terminal + "; both must be the same");
        return url(new StreamRequest.Attach(container.id(), terminal, request.getStdin(), request.getStdout(),
                request.getStderr()));
    }

    String portForward(PortForwardRequest request) throws LifecycleException, StatusException {
        Sandbox sandbox = sandboxes.require(request.getPodSandboxId());
        if (!sandbox.ready()) {
            throw new LifecycleException(LifecycleException.Kind.PRECONDITION, "sandbox " + sandbox.id()
                    + " is not ready; it has no ports to forward");
        }
        for (int port : request.getPortList()) {
            need(port > 0 && port <= 65_535, "port " + port + " is not a port");
        }
        return url(new StreamRequest.PortForward(sandbox.id(), request.getPortList()));
    }

    private String url(StreamRequest request) throws StatusException {
        return server.url(request).orElseThrow(() -> Status.RESOURCE_EXHAUSTED
                .withDescription("too many streaming requests wait for their client; try again in a minute")
                .asException());
    }

    private static void checkStreams(boolean tty, boolean stdin, boolean stdout, boolean stderr)
            throws LifecycleException {
        need(stdin || stdout || stderr, "one of stdin, stdout and stderr must be set");
        need(!tty || !stderr, "tty and stderr exclude each other: a terminal has one output");
    }

    private static void need(boolean holds, String otherwise) throws LifecycleException {
        if (!holds) {
            throw new LifecycleException(LifecycleException.Kind.INVALID, otherwise);
        }
    }
}
