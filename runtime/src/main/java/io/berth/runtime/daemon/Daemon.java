package io.berth.runtime.daemon;

import io.berth.imagestore.store.ImageStore;
import io.berth.runtime.admin.AdminService;
import io.berth.runtime.cgroup.Cgroups;
import io.berth.runtime.cgroup.NodeCgroups;
import io.berth.runtime.cni.CniPlugins;
import io.berth.runtime.config.BerthConfig;
import io.berth.runtime.metrics.MetricsEndpoint;
import io.berth.runtime.metrics.RpcTimer;
import io.berth.runtime.oci.AppArmorLoader;
import io.berth.runtime.oci.AppArmorProfile;
import io.berth.runtime.oci.HostFacts;
import io.berth.runtime.oci.OciException;
import io.berth.runtime.sandbox.PinnedSandboxEnvironment;
import io.berth.runtime.sandbox.UserNamespaces;
import io.berth.runtime.service.CriServices;
import io.berth.runtime.service.EarlyHeaders;
import io.berth.runtime.service.RequestCheck;
import io.berth.runtime.service.Seams;
import io.berth.runtime.shim.NativeShims;
import io.grpc.BindableService;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Metrics;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The daemon of one node: everything wired together, serving until it is stopped. */
public final class Daemon {
    private static final Logger log = LoggerFactory.getLogger(Daemon.class);

    /** A call that is not done by then goes on after the next start, or is undone by it. */
    private static final Duration GRACE = Duration.ofSeconds(10);

    private final Opened opened;
    private final CriServer server;
    private final ServiceNotification supervisor;

    private Daemon(Opened opened, CriServer server, ServiceNotification supervisor) {
        this.opened = opened;
        this.server = server;
        this.supervisor = supervisor;
    }

    /**
     * Takes hold of root and state, takes up what an earlier daemon left, and serves. Returns when clients can connect.
     *
     * @throws IOException where the node lacks something, or another daemon runs; then nothing is left open
     */
    public static Daemon start(BerthConfig config, Installation installation, Map<String, String> environment)
            throws IOException {
        var opened = new Opened();
        try {
            opened.add(InstanceLock.of(config.root()));
            opened.add(InstanceLock.of(config.state()));
            if (config.metrics().enabled()) {
                MetricsEndpoint metrics = opened
                        .add(MetricsEndpoint.open(config.metrics(), installation.version()));
                log.atInfo().addKeyValue("address", config.metrics().address())
                        .addKeyValue("port", metrics.port())
                        .log("serving metrics");
            }
            CriServer server = CriServer.start(config.socket(), services(config, installation, opened),
                    List.of(new RpcTimer(Metrics.globalRegistry), new RequestCheck(), new EarlyHeaders()));
            var supervisor = new ServiceNotification(Optional.ofNullable(environment.get("NOTIFY_SOCKET")));
            supervisor.ready();
            log.atInfo().addKeyValue("version", installation.version()).addKeyValue("socket", config.socket())
                    .addKeyValue("root", config.root()).addKeyValue("state", config.state())
                    .addKeyValue("millis", sinceStart().toMillis()).log("serving the CRI");
            return new Daemon(opened, server, supervisor);
        } catch (IOException | RuntimeException e) {
            opened.close();
            throw e;
        }
    }

    private static List<BindableService> services(BerthConfig config, Installation installation,
            Opened opened)
            throws IOException {
        MeterRegistry meters = Metrics.globalRegistry;
        Cgroups cgroups = NodeCgroups.detect(config.cgroupDriver());
        ImageStore images = opened.add(NodeImages.open(config, meters));
        UserNamespaces userNamespaces = UserNamespaces.ofPath(System.getenv("PATH"));
        HostFacts host = host(config, userNamespaces, images.root());
        loadAppArmorDefault(host);
        var seams = new Seams(images, images.snapshots(), new NativeShims(shim(config, installation)),
                OciRuntimes.open(config, cgroups, host, meters), cgroups,
                opened.add(new CniPlugins(config.cni(), meters)),
                new PinnedSandboxEnvironment(userNamespaces), host, Clock.systemUTC(), userNamespaces,
                installation.version());
        List<BindableService> services = new ArrayList<>(
                opened.add(CriServices.open(config, seams)).services());
        services.add(new AdminService(images, images));
        return services;
    }

    /** Loads the profile of RuntimeDefault, also over one of an older version, which running containers then come under. */
    private static void loadAppArmorDefault(HostFacts host) {
        if (!host.appArmor()) {
            return;
        }
        try {
            AppArmorLoader.loadDefault();
            log.atInfo().addKeyValue("profile", AppArmorProfile.DEFAULT).log("AppArmor profile loaded");
        } catch (OciException e) {
            // Running containers must be served all the same; the next one that needs the profile tries again, and says so.
            log.atError().addKeyValue("profile", AppArmorProfile.DEFAULT)
                    .addKeyValue("reason", e.getMessage())
                    .log("the default AppArmor profile cannot be loaded, so only containers with another one can start");
        }
    }

    private static HostFacts host(BerthConfig config, UserNamespaces userNamespaces, Path images)
            throws IOException {
        HostFacts host = config.selinux() ? HostFacts.detect() : HostFacts.detect().withoutSelinux();
        Optional<String> lacking = host.noUserNamespaces().or(() -> userNamespaces.missing(images,
                List.of(config.root(), config.state()), host.kernel()));
        if (lacking.isEmpty()) {
            return host;
        }
        log.atWarn().addKeyValue("reason", lacking.get()).log("pods cannot have user namespaces here");
        return host.withoutUserNamespaces(lacking.get());
    }

    private static Path shim(BerthConfig config, Installation installation) throws DaemonException {
        return config.shim().or(installation::shim).orElseThrow(() -> new DaemonException(
                "berth-shim was not installed with this program; set shim in the configuration to its path"));
    }

    /** Stops serving. Containers run on, and the next daemon finds them. */
    public void stop() {
        log.atInfo().log("stopping; containers run on");
        supervisor.stopping();
        server.stop(GRACE);
        opened.close();
        log.atInfo().log("stopped");
    }

    private static Duration sinceStart() {
        Clock clock = Clock.systemUTC();
        return ProcessHandle.current().info().startInstant()
                .map(start -> Duration.between(start, clock.instant()))
                .orElse(Duration.ZERO);
    }
}
