package io.berth.runtime.daemon;

import io.berth.runtime.cgroup.Cgroups;
import io.berth.runtime.config.BerthConfig;
import io.berth.runtime.oci.CliOciRuntime;
import io.berth.runtime.oci.HostFacts;
import io.berth.runtime.oci.OciException;
import io.berth.runtime.oci.OciRuntime;
import io.micrometer.core.instrument.MeterRegistry;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Finds the OCI runtimes of the configuration on this node. */
final class OciRuntimes {
    private static final Logger log = LoggerFactory.getLogger(OciRuntimes.class);

    private OciRuntimes() {}

    /**
     * Asks every configured runtime at the same time. One that is not there is left out with a warning, since the default
     * configuration names more than a node need have.
     *
     * @throws DaemonException where the default runtime is not usable
     */
    static Map<String, OciRuntime> open(BerthConfig config, Cgroups cgroups, HostFacts host,
            MeterRegistry meters)
            throws IOException {
        Map<String, Future<OciRuntime>> asked = new LinkedHashMap<>();
        Map<String, OciRuntime> found = new LinkedHashMap<>();
        try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
            config.runtimes().forEach((name, handler) -> asked.put(name,
                    executor.submit(() -> CliOciRuntime.open(name, handler.path(), handler.arguments(),
                            config.state().resolve("oci").resolve(name), cgroups.driver(), host, meters,
                            config.timeouts().oci()))));
            for (Map.Entry<String, Future<OciRuntime>> entry : asked.entrySet()) {
                add(found, entry.getKey(), entry.getValue(), entry.getKey().equals(config.defaultRuntime()));
            }
        }
        return found;
    }

    private static void add(Map<String, OciRuntime> found, String name, Future<OciRuntime> asked,
            boolean isDefault)
            throws IOException {
        try {
            OciRuntime runtime = asked.get();
            log.atInfo().addKeyValue("handler", name).addKeyValue("version", runtime.version())
                    .addKeyValue("command", String.join(" ", runtime.command())).log("OCI runtime found");
            found.put(name, runtime);
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof OciException reason)) {
                throw new IllegalStateException("asking the OCI runtime " + name, e.getCause());
            }
            if (isDefault) {
                throw new DaemonException("default_runtime: " + reason.getMessage()
                        + "; install it, or choose another default_runtime (berth check shows what is there)",
                        reason);
            }
            log.atWarn().addKeyValue("handler", name).addKeyValue("reason", reason.getMessage())
                    .log("OCI runtime left out");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new DaemonException("interrupted while looking for OCI runtimes", e);
        }
    }
}
