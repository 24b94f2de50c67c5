package io.berth.runtime.sandbox;

import io.berth.cri.v1.ContainerEventType;
import io.berth.cri.v1.LinuxPodSandboxConfig;
import io.berth.cri.v1.NamespaceMode;
import io.berth.cri.v1.NamespaceOption;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.RunPodSandboxRequest;
import io.berth.runtime.cgroup.Cgroups;
import io.berth.runtime.events.Events;
import io.berth.runtime.lifecycle.Ids;
import io.berth.runtime.lifecycle.InFlight;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.lifecycle.Rollback;
import io.berth.runtime.lifecycle.Times;
import io.berth.runtime.lifecycle.Together;
import io.berth.runtime.oci.HostFacts;
import io.berth.runtime.oci.OciException;
import io.berth.runtime.oci.SelinuxLabels;
import io.berth.runtime.shim.PauseSpec;
import io.berth.runtime.shim.Shims;
import io.berth.runtime.state.Durability;
import io.berth.runtime.state.Layout;
import io.berth.runtime.state.SandboxPhase;
import io.berth.runtime.state.SandboxRecord;
import io.berth.runtime.state.SandboxRecord.Attachment;
import io.berth.runtime.state.SandboxRecord.Pause;
import io.berth.runtime.state.StateException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** CRI {@code RunPodSandbox}: makes a sandbox ready, or leaves nothing. */
final class RunPodSandbox {
    private static final Logger log = LoggerFactory.getLogger(RunPodSandbox.class);
    /** A retry waits this long for the first try; every step of that has its own, shorter deadline. */
    private static final Duration JOIN_LIMIT = Duration.ofMinutes(10);

    private final Sandboxes sandboxes;
    private final RuntimeHandlers handlers;
    private final SandboxEnvironment environment;
    private final PodNetworks networks;
    private final Cgroups cgroups;
    private final Shims shims;
    private final Duration shimTimeout;
    private final Layout layout;
    private final Events events;
    private final HostFacts host;
    private final Clock clock;
    private final Random random = new SecureRandom();
    private final InFlight<RunPodSandboxRequest, Sandbox> inFlight = new InFlight<>(JOIN_LIMIT);

    RunPodSandbox(Sandboxes sandboxes, RuntimeHandlers handlers, SandboxEnvironment environment,
            PodNetworks networks, Cgroups cgroups, Shims shims, Duration shimTimeout, Layout layout,
            Events events, HostFacts host, Clock clock) {
        this.sandboxes = sandboxes;
        this.handlers = handlers;
        this.environment = environment;
        this.networks = networks;
        this.cgroups = cgroups;
        this.shims = shims;
        this.shimTimeout = shimTimeout;
        this.layout = layout;
        this.events = events;
        this.host = host;
        this.clock = clock;
    }

    /**
     * Makes the sandbox, or gives the ready one that an equal request has made: a caller that gave up and comes again gets
     * the first try's result.
     */
    Sandbox run(RunPodSandboxRequest request) throws Exception {
        SandboxConfigCheck.check(request.getConfig());
        LinuxPodSandboxConfig linux = request.getConfig().getLinux();
        checkCgroupParent(linux.getCgroupParent());
        PodLimits.check("config.linux.", linux.getResources(), linux.getOverhead(), host);
        String runtime = handlers.resolve(request.getRuntimeHandler());
        checkUserNamespace(request.getConfig(), runtime);
        String name = SandboxRecord.nameKey(request.getConfig().getMetadata());
        return inFlight.run(name, request, () -> {
            Optional<Sandbox> existing = sandboxes.readyByName(name);
            return existing.isPresent() ? reuse(existing.get(), request) : make(request, runtime);
        });
    }

    private void checkCgroupParent(String parent) throws LifecycleException {
        try {
            cgroups.pod(parent, "unused");
        } catch (IllegalArgumentException e) {
            throw new LifecycleException(LifecycleException.Kind.INVALID,
                    "config.linux.cgroup_parent: " + e.getMessage(), e);
        }
    }

    private void checkUserNamespace(PodSandboxConfig config, String runtime) throws LifecycleException {
        NamespaceOption options = config.getLinux().getSecurityContext().getNamespaceOptions();
        if (!options.hasUsernsOptions() || options.getUsernsOptions().getMode() != NamespaceMode.POD) {
            return;
        }
        String field = "config.linux.security_context.namespace_options.userns_options: ";
        if (host.noUserNamespaces().isPresent()) {
            throw new LifecycleException(LifecycleException.Kind.PRECONDITION,
                    field + "pods cannot have user namespaces on this node: "
                            + host.noUserNamespaces().get());
        }
        if (!handlers.runtime(runtime).features().userNamespaces()) {
            throw new LifecycleException(LifecycleException.Kind.PRECONDITION, field + "the runtime handler "
                    + runtime + " has no user namespaces; see Status.runtime_handlers for those that have");
        }
    }

    private static Sandbox reuse(Sandbox existing, RunPodSandboxRequest request) throws LifecycleException {
        SandboxRecord record = existing.record();
        if (!fixed(record.config()).equals(fixed(request.getConfig()))
                || !record.requestedHandler().equals(request.getRuntimeHandler())) {
            throw new LifecycleException(LifecycleException.Kind.ALREADY_EXISTS, "pod sandbox " + record.id()
                    + " is ready under the name " + record.nameKey()
                    + " with another configuration; stop it first, or ask for a higher attempt");
        }
        return existing;
    }

    /** What stays as it was asked for: UpdatePodSandboxResources may have changed the rest since. */
    private static PodSandboxConfig fixed(PodSandboxConfig config) {
        PodSandboxConfig.Builder fixed = config.toBuilder();
        fixed.getLinuxBuilder().clearResources().clearOverhead();
        return fixed.build();
    }

    private Sandbox make(RunPodSandboxRequest request, String runtime) throws Exception {
        PodSandboxConfig config = request.getConfig();
        boolean hostNetwork = config.getLinux().getSecurityContext().getNamespaceOptions()
                .getNetwork() == NamespaceMode.NODE;
        String id = Ids.next();
        Instant now = clock.instant();
        Sandbox sandbox = sandboxes.add(new SandboxRecord(id, SandboxPhase.CREATING, config,
                request.getRuntimeHandler(), runtime, Times.nanos(now), "", Map.of(), Map.of(),
                Optional.empty(),
                Optional.empty(), selinuxLevel()));
        Rollback rollback = new Rollback("sandbox " + id);
        try {
            makeGround(sandbox, hostNetwork, rollback);
            populate(sandbox, hostNetwork, rollback);
        } catch (Exception | Error e) {
            giveUp(sandbox, rollback, e);
            throw e;
        }
        events.publish(ContainerEventType.CONTAINER_CREATED_EVENT, id, id, now);
        events.publish(ContainerEventType.CONTAINER_STARTED_EVENT, id, id, clock.instant());
        log.atInfo().addKeyValue("sandbox", id).addKeyValue("pod", config.getMetadata().getName())
                .addKeyValue("namespace", config.getMetadata().getNamespace()).log("sandbox is ready");
        return sandbox;
    }

    private String selinuxLevel() {
        return host.selinux().map(policy -> policy.newLevel(
                sandboxes.all().stream().map(other -> other.record().selinuxLevel()).toList(), random))
                .orElse("");
    }

    private Optional<String> fileContext(SandboxRecord record) throws OciException {
        try {
            return SelinuxLabels.ofPod(host, record.config(), record.selinuxLevel())
                    .map(SelinuxLabels::mount);
        } catch (OciException e) {
            throw e.in(PodSandboxConfig.getDescriptor(), "config");
        }
    }

    /**
     * The cgroup, namespaces and files, and the record of them. What DEL needs, should the daemon or the node end during ADD, is
     * flushed meanwhile: an address that a plugin gives out may be on the disk before a record written later is.
     */
    private void makeGround(Sandbox sandbox, boolean hostNetwork, Rollback rollback) throws Exception {
        String id = sandbox.id();
        PodSandboxConfig config = sandbox.record().config();
        String parent = config.getLinux().getCgroupParent();
        AtomicReference<SandboxEnvironment.@Nullable Made> made = new AtomicReference<>();
        Together.run(List.of(() -> {
            if (!hostNetwork) {
                sandboxes.update(sandbox, Durability.POWER_LOSS, record -> record
                        .withEnvironment(Map.of("network", environment.networkNamespace(layout.sandbox(id))),
                                Map.of())
                        .withNetwork(Optional.of(networks.intent())));
            }
        }, () -> {
            rollback.add("remove the pod's cgroup", () -> cgroups.removePod(parent, id));
            Cgroups.PodCgroup cgroup = cgroups.createPod(parent, id);
            LinuxPodSandboxConfig linux = config.getLinux();
            if (parent.isEmpty() && (linux.hasResources() || linux.hasOverhead())) {
                // A cgroup that was named is its maker's, who has set its limits: kubelet.
                cgroups.limit(cgroup.path(), PodLimits.sum(linux.getResources(), linux.getOverhead()));
            }
        }, () -> {
            // It cleans up itself, but may lack what that needs (open files, memory); then it must not be forgotten.
            rollback.add("destroy namespaces and files", () -> environment.destroy(layout.sandbox(id)));
            made.set(environment.create(id, layout.sandbox(id), config, fileContext(sandbox.record())));
        }));
        SandboxEnvironment.@Nullable Made parts = made.get();
        if (parts == null) {
            throw new IllegalStateException("the environment step ended without a result");
        }
        sandboxes.update(sandbox, Durability.DAEMON_CRASH,
                record -> record.withCgroup(cgroups.pod(parent, id).path())
                        .withEnvironment(parts.namespaces(), parts.files()));
    }

    /** The network and, where the pod shares one, PID 1; they do not need each other. */
    private void populate(Sandbox sandbox, boolean hostNetwork, Rollback rollback) throws Exception {
        SandboxRecord ground = sandbox.record();
        AtomicReference<@Nullable Attachment> attached = new AtomicReference<>();
        AtomicReference<@Nullable Pause> paused = new AtomicReference<>();
        Together.run(List.of(() -> {
            if (sandbox.namespaceOptions().getPid() == NamespaceMode.POD) {
                paused.set(startPause(sandbox, ground, rollback));
            }
        }, () -> {
            if (!hostNetwork) {
                attached.set(attach(ground, rollback));
            }
        }));
        sandboxes.update(sandbox, Durability.POWER_LOSS, record -> record.withPhase(SandboxPhase.READY)
                .withNetwork(Optional.ofNullable(attached.get()))
                .withPause(Optional.ofNullable(paused.get())));
    }

    private Attachment attach(SandboxRecord ground, Rollback rollback) throws Exception {
        @Nullable
        Path netns = ground.namespaces().get("network");
        if (netns == null) {
            throw new IllegalStateException("sandbox " + ground.id() + " has no network namespace to attach");
        }
        Attachment attachment = networks.attach(ground, netns);
        rollback.add("CNI DEL", () -> networks.detach(ground.withNetwork(Optional.of(attachment))));
        environment.networkAttached(layout.sandbox(ground.id()), ground.config());
        return attachment;
    }

    private Pause startPause(Sandbox sandbox, SandboxRecord ground, Rollback rollback) throws Exception {
        String parent = ground.config().getLinux().getCgroupParent();
        long pid = shims.startPause(new PauseSpec(layout.sandbox(ground.id()),
                List.copyOf(ground.namespaces().values()), cgroups.pod(parent, ground.id()).procsFiles()),
                shimTimeout);
        Pause pause = PauseProcess.identify(pid);
        rollback.add("end the pause process", () -> PauseProcess.end(pause));
        // On disk before READY is: a daemon that ends in between finds the process by it.
        sandboxes.update(sandbox, Durability.DAEMON_CRASH, record -> record.withPause(Optional.of(pause)));
        return pause;
    }

    /** Undoes everything; what cannot be undone stays listed as a sandbox that is not ready, for its owner to remove. */
    private void giveUp(Sandbox sandbox, Rollback rollback, Throwable failure) {
        boolean clean = rollback.run(failure);
        try {
            if (clean) {
                sandboxes.forget(sandbox);
            } else {
                sandboxes.update(sandbox, Durability.DAEMON_CRASH,
                        record -> record.withPhase(SandboxPhase.STOPPING));
            }
        } catch (StateException e) {
            failure.addSuppressed(e);
            log.atError().addKeyValue("sandbox", sandbox.id()).setCause(e)
                    .log("could not record that a sandbox was given up");
        }
    }
}
