package io.berth.runtime.container;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerEventType;
import io.berth.cri.v1.CreateContainerRequest;
import io.berth.cri.v1.LinuxContainerUser;
import io.berth.cri.v1.Mount;
import io.berth.imagestore.Image;
import io.berth.imagestore.Snapshots;
import io.berth.imagestore.Snapshots.MountOptions;
import io.berth.linux.PrivateFile;
import io.berth.runtime.cgroup.Cgroups;
import io.berth.runtime.checkpoint.RootfsChanges;
import io.berth.runtime.lifecycle.Ids;
import io.berth.runtime.lifecycle.InFlight;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.lifecycle.Rollback;
import io.berth.runtime.lifecycle.Times;
import io.berth.runtime.oci.AppArmorProfile;
import io.berth.runtime.oci.OciException;
import io.berth.runtime.oci.OciRuntime;
import io.berth.runtime.oci.OciSpec;
import io.berth.runtime.oci.SelinuxLabels;
import io.berth.runtime.oci.SpecBuilder;
import io.berth.runtime.oci.SpecInput;
import io.berth.runtime.sandbox.Sandbox;
import io.berth.runtime.shim.Shim;
import io.berth.runtime.shim.ShimException;
import io.berth.runtime.shim.ShimSpec;
import io.berth.runtime.state.ContainerPhase;
import io.berth.runtime.state.ContainerRecord;
import io.berth.runtime.state.SandboxRecord;
import io.berth.runtime.state.StateException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** CRI {@code CreateContainer}: makes a container that is ready to start, or leaves nothing. */
final class CreateContainer {
    private static final Logger log = LoggerFactory.getLogger(CreateContainer.class);
    /** A retry waits this long for the first try; every step of that has its own, shorter deadline. */
    private static final Duration JOIN_LIMIT = Duration.ofMinutes(10);

    private final ContainerDeps deps;
    private final ContainerParts parts;
    private final ImageVolumes imageVolumes;
    private final ContainerEnd end;
    private final RestoreSources restores;
    private final InFlight<CreateContainerRequest, Container> inFlight = new InFlight<>(JOIN_LIMIT);

    CreateContainer(ContainerDeps deps, ContainerParts parts, ImageVolumes imageVolumes, ContainerEnd end) {
        this.deps = deps;
        this.parts = parts;
        this.imageVolumes = imageVolumes;
        this.end = end;
        this.restores = new RestoreSources(deps);
    }

    /** How the new container's id becomes a checkpoint to go on from, or none. */
    private interface Source {
        Optional<Restore> open(String id) throws Exception;
    }

    /**
     * Makes the container, or gives the one that an equal request has made: a caller that gave up and comes again gets the
     * first try's result.
     */
    Container create(CreateContainerRequest request) throws Exception {
        return create(request, id -> restores.open(id, request.getConfig()));
    }

    /** The same from the checkpoint in {@code archive}, of which the request describes the process. */
    Container createFrom(Path archive, CreateContainerRequest request) throws Exception {
        return create(request, id -> Optional.of(restores.ofArchive(id, archive, true)));
    }

    private Container create(CreateContainerRequest request, Source source) throws Exception {
        ContainerConfigCheck.check(request);
        Sandbox sandbox = deps.sandboxes().require(request.getPodSandboxId());
        deps.handlers().resolve("config.image.runtime_handler",
                request.getConfig().getImage().getRuntimeHandler());
        ContainerConfigCheck.checkSandbox(request.getSandboxConfig(), sandbox.record().config());
        deps.cgroups().expectEntry();
        String name = ContainerRecord.nameKey(sandbox.id(), request.getConfig().getMetadata());
        return inFlight.run(name, request, () -> {
            Optional<Container> existing = deps.containers().aliveByName(name);
            return existing.isPresent()
                    ? reuse(existing.get(), request.getConfig())
                    : sandbox.whileNotStopping(() -> make(sandbox, request.getConfig(), source));
        });
    }

    private static Container reuse(Container existing, ContainerConfig config) throws LifecycleException {
        if (!ImageVolumes.asRequested(existing.record().config()).equals(ImageVolumes.asRequested(config))) {
            throw new LifecycleException(LifecycleException.Kind.ALREADY_EXISTS, "container " + existing.id()
                    + " has the name " + existing.record().nameKey()
                    + " with another configuration; remove it first, or ask for a higher attempt");
        }
        return existing;
    }

    private Container make(Sandbox sandbox, ContainerConfig config, Source source) throws Exception {
        if (!sandbox.ready()) {
            throw new LifecycleException(LifecycleException.Kind.PRECONDITION, "sandbox " + sandbox.id()
                    + " is not ready; run a new one for the pod");
        }
        Optional<Path> logFile = ContainerConfigCheck.logFile(sandbox.record().config(), config);
        Map<String, Path> namespaces = PodNamespaces.joined(config, sandbox, deps.containers());
        String id = Ids.next();
        try {
            Optional<Restore> restore = source.open(id);
            if (restore.isPresent()) {
                deps.handlers().runtime(sandbox.record().runtime())
                        .requireCriu(deps.config().timeouts().oci());
            }
            Image image = restore.isPresent() ? baseImage(restore.get(), config) : image(config);
            return make(intent(id, sandbox, imageVolumes.resolved(config), image, logFile), sandbox, image,
                    namespaces, restore);
        } catch (Exception | Error e) {
            // A checkpoint is unpacked before there is a record of the container.
            if (deps.containers().find(id).isEmpty()) {
                ContainerParts.deleteTree(deps.layout().bundle(id));
                ContainerParts.deleteTree(deps.layout().shim(id));
            }
            throw e;
        }
    }

    private Image image(ContainerConfig config) throws LifecycleException {
        return deps.images().find(config.getImage().getImage())
                .orElseThrow(() -> new LifecycleException(LifecycleException.Kind.NOT_FOUND, "image \""
                        + config.getImage().getImage() + "\" is not on this node; pull it first"));
    }

    private Image baseImage(Restore restore, ContainerConfig config) throws LifecycleException {
        Image base = restores.baseImage(restore);
        if (restore.exact() && !image(config).id().equals(base.id())) {
            throw new LifecycleException(LifecycleException.Kind.INVALID, "config.image is \""
                    + config.getImage().getImage() + "\", but the container in " + restore.origin()
                    + " was made from \"" + restore.dump().requestedImage() + "\"");
        }
        return base;
    }

    private Container make(ContainerRecord intent, Sandbox sandbox, Image image, Map<String, Path> namespaces,
            Optional<Restore> restore) throws Exception {
        Container container = deps.containers().add(intent, sandbox);
        Rollback rollback = new Rollback("container " + container.id());
        try {
            OciSpec spec = prepare(container, image, namespaces, restore, rollback);
            if (restore.isPresent()) {
                awaitStart(container, spec, restore.get());
            } else {
                launch(container, spec, rollback);
            }
        } catch (Exception | Error e) {
            giveUp(container, rollback, e);
            throw e;
        }
        deps.containers().publish(ContainerEventType.CONTAINER_CREATED_EVENT, container,
                container.record().times().created());
        return container;
    }

    private ContainerRecord intent(String id, Sandbox sandbox, ContainerConfig config, Image image,
            Optional<Path> logFile) {
        String parent = sandbox.record().config().getLinux().getCgroupParent();
        Cgroups.PodCgroup pod = deps.cgroups().pod(parent, sandbox.id());
        return new ContainerRecord(id, sandbox.id(), ContainerPhase.CREATING, config,
                config.getLinux().getResources(), imageRef(image, config), sandbox.record().runtime(),
                pod.containerPath(id), logFile.map(Path::toString).orElse(""),
                LinuxContainerUser.getDefaultInstance(),
                StopSignals.effective(config.getStopSignal(), image.config().stopSignal()),
                ContainerRecord.Processes.NONE,
                new ContainerRecord.Times(Times.nanos(deps.clock().instant()), 0, 0),
                ContainerRecord.End.NOT_YET);
    }

    private static ContainerRecord.ImageRef imageRef(Image image, ContainerConfig config) {
        String digest = image.repoDigests().isEmpty() ? image.id() : image.repoDigests().getFirst();
        String name = image.repoTags().isEmpty() ? config.getImage().getImage() : image.repoTags().getFirst();
        return new ContainerRecord.ImageRef(image.id(), digest, name);
    }

    /** The root filesystem, what is mounted into it, and the bundle; gives the spec. */
    private OciSpec prepare(Container container, Image image, Map<String, Path> namespaces,
            Optional<Restore> restore, Rollback rollback) throws Exception {
        String id = container.id();
        rollback.add("delete the root filesystem and bundle", () -> parts.deleteFiles(id));
        Files.createDirectories(deps.layout().shim(id));
        Files.createDirectories(deps.layout().bundle(id));
        try (PodIds ids = PodIds.of(container.sandbox(), deps.userNamespaces())) {
            Path rootfs = deps.layout().rootfs(id);
            Snapshots.Snapshot snapshot = deps.snapshots().prepare(id, image.id(), ids.ofPod());
            if (restore.isPresent() && Files.isRegularFile(restore.get().files().rootfsDiff())) {
                RootfsChanges.apply(restore.get().files().rootfsDiff(), snapshot);
            }
            // Writable even where the container's root is read-only: the OCI runtime must make mount points in it.
            Optional<SelinuxLabels> selinux = selinux(container);
            Optional<String> fileContext = selinux.map(SelinuxLabels::mount);
            deps.snapshots().mount(id, rootfs,
                    new MountOptions(false, ids.namespaceOfPod(), fileContext));
            if (restore.isPresent()) {
                RootfsChanges.delete(rootfs, restore.get().files().readDeleted());
            }
            OciSpec spec = spec(container, image, namespaces, ids, selinux);
            spec.warnings().forEach(warning -> log.atWarn().addKeyValue("container", id).log(warning));
            AppArmorProfile.keepLoaded(spec);
            deps.cdi().inject(container.record().config(), spec);
            if (restore.isPresent()) {
                RestoreCheck.check(restore.get().files().readSpec(restore.get().origin()), spec.json(),
                        restore.get().exact(), restore.get().origin());
            }
            if (fileContext.isPresent()) {
                Relabel.volumes(container.record().config().getMountsList(), fileContext.get());
                Relabel.tree(deps.layout().anonymousVolumes(id), fileContext.get());
            }
            MappedMounts.apply(spec, deps.layout().mountSources(id), ids);
            PrivateFile.write(deps.layout().spec(id), spec.bytes());
            return spec;
        }
    }

    private Optional<SelinuxLabels> selinux(Container container) throws LifecycleException, OciException {
        SandboxRecord pod = container.sandbox().record();
        try {
            return SelinuxLabels.of(deps.host(), pod.config(), container.record().config(),
                    pod.selinuxLevel());
        } catch (OciException e) {
            throw e.in(ContainerConfig.getDescriptor(), "config");
        }
    }

    private OciSpec spec(Container container, Image image, Map<String, Path> namespaces, PodIds ids,
            Optional<SelinuxLabels> selinux) throws Exception {
        String id = container.id();
        ContainerRecord record = container.record();
        List<Mount> mounts = record.config().getMountsList();
        Path rootfs = deps.layout().rootfs(id);
        Sandbox sandbox = container.sandbox();
        OciRuntime runtime = deps.handlers().runtime(record.runtime());
        return build(new SpecInput(id, sandbox.id(), record.config(),
                sandbox.record().config(), image, rootfs, namespaces, sandbox.record().files(),
                record.cgroupsPath(), runtime.ociVersion(), runtime.features(), deps.host(),
                deps.config().seccomp().defaultProfile(), selinux,
                deps.config().limits().pidsLimit(),
                imageVolumes.mount(id, mounts, deps.layout().mountSources(id), ids,
                        selinux.map(SelinuxLabels::mount)),
                AnonymousVolumes.make(image, mounts, rootfs, deps.layout().anonymousVolumes(id),
                        ids.ofPod())));
    }

    private static OciSpec build(SpecInput input) throws OciException {
        try {
            return SpecBuilder.build(input);
        } catch (OciException e) {
            throw e.in(ContainerConfig.getDescriptor(), "config");
        }
    }

    /** A container that goes on from a checkpoint has no process, and so no shim, before it is started. */
    private void awaitStart(Container container, OciSpec spec, Restore restore) throws Exception {
        ContainerRecord record = container.record();
        Path shm = container.sandbox().record().files().get("shm");
        if (shm != null) {
            restore.files().restoreSharedMemory(shm);
        }
        if (!record.logPath().isEmpty()) {
            Path logFile = Path.of(record.logPath());
            Files.createDirectories(logFile.getParent());
            if (Files.isRegularFile(restore.files().log()) && !Files.exists(logFile)) {
                Files.copy(restore.files().log(), logFile);
            }
        }
        deps.containers().update(container,
                current -> current.created(spec.user(), ContainerRecord.Processes.NONE));
        log.atInfo().addKeyValue("container", record.id()).addKeyValue("sandbox", record.sandboxId())
                .addKeyValue("checkpoint", restore.origin()).log("container is ready to be restored");
    }

    private void launch(Container container, OciSpec spec, Rollback rollback) throws Exception {
        ContainerRecord record = container.record();
        ContainerConfig config = record.config();
        if (!record.logPath().isEmpty()) {
            Files.createDirectories(Path.of(record.logPath()).getParent());
        }
        OciRuntime runtime = deps.handlers().runtime(record.runtime());
        rollback.add("delete the OCI runtime's state", () -> parts.deleteRuntimeState(record));
        Shim shim = startShim(record, parts.shimSpec(record, runtime.command(), List.of(), false), spec);
        rollback.add("end the shim", () -> {
            shim.destroy();
            shim.close();
        });
        parts.unmountSources(record.id());
        deps.containers().update(container, current -> current.created(spec.user(),
                new ContainerRecord.Processes(shim.containerPid(), shim.shimPid())));
        end.watch(container, shim);
        log.atInfo().addKeyValue("container", record.id()).addKeyValue("sandbox", record.sandboxId())
                .addKeyValue("name", config.getMetadata().getName()).log("container is created");
    }

    private Shim startShim(ContainerRecord record, ShimSpec shim, OciSpec spec) throws ShimException {
        try {
            return deps.shims().create(shim, deps.config().timeouts().oci());
        } catch (ShimException e) {
            // An OCI runtime says "permission denied" and not of what.
            throw new ShimException(e.kind(), "create container " + record.id() + " ("
                    + record.config().getMetadata().getName() + ") with " + record.runtime() + " to run "
                    + spec.json().path("process").path("args") + ": " + e.getMessage(), e);
        }
    }

    /** Undoes everything; what cannot be undone stays listed as an ended container, for its owner to remove. */
    private void giveUp(Container container, Rollback rollback, Throwable failure) {
        boolean clean = rollback.run(failure);
        try {
            if (clean) {
                deps.containers().forget(container);
            } else {
                deps.containers().update(container, record -> record.exited(
                        Times.nanos(deps.clock().instant()),
                        new ContainerRecord.End(ContainerEnd.UNKNOWN_EXIT, "CreateError",
                                String.valueOf(failure.getMessage()))));
                container.markEnded();
                container.markReleased(false);
            }
        } catch (StateException e) {
            failure.addSuppressed(e);
            log.atError().addKeyValue("container", container.id()).setCause(e)
                    .log("could not record that a container was given up");
        }
    }
}
