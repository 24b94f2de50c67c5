package io.berth.runtime.container;

import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.oci.OciSpec;
import io.berth.runtime.shim.ExecSession;
import io.berth.runtime.shim.Shim;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** Processes that join a running container, and its own stdio. */
final class ContainerStdio {
    private final ContainerDeps deps;

    ContainerStdio(ContainerDeps deps) {
        this.deps = deps;
    }

    /** The container, where a process can join it now. */
    Container requireRunning(String idOrPrefix) throws LifecycleException {
        Container container = deps.containers().require(idOrPrefix);
        shim(container);
        return container;
    }

    /** Starts {@code command} with the user, environment and confinement of the container's first process. */
    ExecSession exec(Container container, List<String> command, boolean tty, boolean stdin, Duration deadline)
            throws LifecycleException, IOException {
        deps.cgroups().expectEntry();
        byte[] process = OciSpec.parse(Files.readAllBytes(deps.layout().spec(container.id())))
                .execProcess(command, tty);
        return shim(container).exec(process, tty, stdin, deadline);
    }

    /** Joins the stdio of the container's first process. */
    ExecSession attach(Container container) throws LifecycleException, IOException {
        return shim(container).attach(deps.config().timeouts().shim());
    }

    private static Shim shim(Container container) throws LifecycleException {
        Optional<Shim> shim = container.shim();
        if (!container.running() || shim.isEmpty()) {
            throw new LifecycleException(LifecycleException.Kind.PRECONDITION, "container " + container.id()
                    + " is not running; a process can join a running container only");
        }
        return shim.get();
    }
}
