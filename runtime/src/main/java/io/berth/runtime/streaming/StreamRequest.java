package io.berth.runtime.streaming;

import java.util.List;

/** What a single-use URL stands for. */
public sealed interface StreamRequest {
    /** The first part of the URL's path. */
    String verb();

    /** A request with the stdio of a process. */
    sealed interface Command extends StreamRequest {
        /** The container's full id. */
        String containerId();

        /** Whether the process has a terminal; then it has no stderr of its own. */
        boolean tty();

        boolean stdin();

        boolean stdout();

        boolean stderr();
    }

    /** Runs {@code command} in a container (CRI {@code Exec}). */
    record Exec(String containerId, List<String> command, boolean tty, boolean stdin, boolean stdout,
            boolean stderr) implements Command {
        @Override
        public String verb() {
            return "exec";
        }
    }

    /** Joins the stdio of a container's first process (CRI {@code Attach}). */
    record Attach(String containerId, boolean tty, boolean stdin, boolean stdout, boolean stderr)
            implements
                Command {
        @Override
        public String verb() {
            return "attach";
        }
    }

    /**
     * Connects to ports in a pod's network namespace (CRI {@code PortForward}).
     *
     * @param ports what a WebSocket client gets channels for, in this order; a SPDY client names ports itself
     */
    record PortForward(String sandboxId, List<Integer> ports) implements StreamRequest {
        @Override
        public String verb() {
            return "portforward";
        }
    }
}
