package io.berth.runtime.service;

import io.berth.linux.Boot;
import io.berth.runtime.config.BerthConfig;
import io.berth.runtime.cdi.CdiDevices;
import io.berth.runtime.container.ContainerDeps;
import io.berth.runtime.container.ContainerLifecycle;
import io.berth.runtime.container.Containers;
import io.berth.runtime.events.EventHub;
import io.berth.runtime.pod.PodCheckpoints;
import io.berth.runtime.sandbox.RuntimeHandlers;
import io.berth.runtime.sandbox.SandboxLifecycle;
import io.berth.runtime.sandbox.Sandboxes;
import io.berth.runtime.state.Layout;
import io.berth.runtime.state.StateStore;
import io.berth.runtime.stats.ContainerStatsReader;
import io.berth.runtime.stats.PodInterfaces;
import io.berth.runtime.stats.PodMetricsReader;
import io.berth.runtime.stats.PodStatsReader;
import io.berth.runtime.streaming.StreamingServer;
import io.grpc.BindableService;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The CRI services over one node's seams. {@link #open} loads the state and finds what runs; {@link #services} serve it.
 * Closing lets go of shims and the database; containers run on.
 */
public final class CriServices implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(CriServices.class);

    private final StateStore store;
    private final Containers containers;
    private final StreamingServer streaming;
    private final RuntimeServiceImpl runtime;
    private final ImageServiceImpl images;

    private CriServices(StateStore store, Containers containers, StreamingServer streaming,
            RuntimeServiceImpl runtime, ImageServiceImpl images) {
        this.store = store;
        this.containers = containers;
        this.streaming = streaming;
        this.runtime = runtime;
        this.images = images;
    }

    /**
     * Loads {@code <root>/berth.db}, finds the shims of containers that still run, and undoes what an earlier daemon left
     * half-done.
     *
     * @throws IOException where the database cannot be opened, is damaged, or is of a newer Berth
     */
    public static CriServices open(BerthConfig config, Seams seams) throws IOException {
        Layout layout = new Layout(config.root(), config.state());
        StateStore store = StateStore.open(layout.database());
        try {
            return build(config, seams, layout, store);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            store.close();
            throw new IOException("interrupted while taking up the state of an earlier daemon", e);
        } catch (Exception e) {
            store.close();
            throw e instanceof IOException io
                    ? io
                    : new IOException("cannot take up the state of an earlier daemon: " + e.getMessage(), e);
        }
    }

    private static CriServices build(BerthConfig config, Seams seams, Layout layout, StateStore store)
            throws Exception {
        EventHub events = new EventHub();
        RuntimeHandlers handlers = new RuntimeHandlers(seams.runtimes(), config.defaultRuntime());
        Sandboxes sandboxes = new Sandboxes(store);
        // A call waits for another on the same container at most as long as that one can take.
        Duration busy = config.timeouts().oci().plus(config.timeouts().shim()).plusSeconds(10);
        Containers containers = new Containers(store, events, busy);
        ContainerDeps deps = new ContainerDeps(containers, sandboxes, handlers, seams.images(),
                seams.snapshots(),
                seams.shims(), seams.cgroups(), seams.host(), seams.userNamespaces(),
                new CdiDevices(config.cdi().specDirs()), config, seams.clock());
        ContainerLifecycle containerLifecycle = new ContainerLifecycle(deps);
        SandboxLifecycle sandboxLifecycle = new SandboxLifecycle(sandboxes, handlers, containerLifecycle,
                seams.environment(), seams.cni(), seams.cgroups(), seams.shims(), config, events,
                seams.host(), seams.clock());
        String boot = Boot.id();
        boolean rebooted = store.bootIdAtOpen().filter(before -> !before.equals(boot)).isPresent();
        if (rebooted) {
            log.atInfo().log("the node has restarted: what ran before has ended");
        }
        sandboxLifecycle.recover(store.sandboxesAtOpen(), rebooted);
        containerLifecycle.recover(store.containersAtOpen(), rebooted);
        if (!store.bootIdAtOpen().filter(boot::equals).isPresent()) {
            store.putBootId(boot);
        }
        log.atInfo().addKeyValue("sandboxes", sandboxes.all().size())
                .addKeyValue("containers", containers.all().size()).log("state is loaded");
        StreamingServer streaming = StreamingServer.start(config.streaming(),
                new NodeStreams(containerLifecycle, sandboxes));
        ContainerStatsReader containerStats = new ContainerStatsReader(deps);
        PodInterfaces interfaces = new PodInterfaces(seams.environment());
        StatsCalls stats = new StatsCalls(sandboxes, containers, containerStats,
                new PodStatsReader(sandboxes, containers, containerStats, seams.cgroups(), interfaces,
                        seams.clock()),
                new PodMetricsReader(deps, containerStats, interfaces));
        RuntimeServiceImpl runtime = new RuntimeServiceImpl(seams, layout,
                new NodeStatus(config, seams, handlers), sandboxes, sandboxLifecycle, containers,
                containerLifecycle,
                new PodCheckpoints(sandboxes, sandboxLifecycle, containers, containerLifecycle), stats,
                events,
                new StreamingCalls(streaming, containerLifecycle, sandboxes));
        return new CriServices(store, containers, streaming, runtime,
                new ImageServiceImpl(seams.images(), handlers, seams.clock()));
    }

    /** The gRPC services. They block: run them on virtual threads. */
    public List<BindableService> services() {
        return List.of(runtime, images);
    }

    /** Writes what is waiting, and lets go of the shims, which live on. To be called when no call is under way. */
    @Override
    public void close() {
        streaming.close();
        containers.letGoOfShims();
        store.close();
    }
}
