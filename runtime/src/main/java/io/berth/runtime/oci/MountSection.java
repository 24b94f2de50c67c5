package io.berth.runtime.oci;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.cri.v1.Mount;
import io.berth.cri.v1.MountPropagation;
import io.berth.cri.v1.NamespaceMode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** The OCI {@code mounts}: what every Linux container has, the sandbox's files, the request's mounts. */
final class MountSection {
    private static final Path DEV = Path.of("/dev");

    private MountSection() {}

    /** Sets {@code mounts} and {@code linux.rootfsPropagation}. */
    static void build(SpecInput input, ObjectNode spec, ObjectNode linux) throws OciException {
        RequestedMounts requested = new RequestedMounts(input);
        Set<Path> overridden = new TreeSet<>();
        List<OciMount> mounts = new ArrayList<>();
        for (Mount mount : input.container().getMountsList()) {
            OciMount made = requested.of(mount);
            overridden.add(made.destination());
            mounts.add(made);
        }
        mounts.addAll(0, sandboxFiles(input, overridden));
        input.anonymousVolumes().forEach((path, directory) -> mounts
                .add(OciMount.of("bind", directory.toString(), path.toString(), "rbind", "rprivate", "rw")));
        // A parent is mounted before what lies in it; among equals the request's order stays.
        mounts.sort(Comparator.comparingInt(mount -> mount.destination().getNameCount()));
        List<OciMount> all = defaults(input, overridden);
        all.addAll(mounts);
        ArrayNode json = spec.putArray("mounts");
        all.forEach(mount -> json.add(mount.json()));
        rootfsPropagation(input.container().getMountsList(), linux);
    }

    private static List<OciMount> defaults(SpecInput input, Set<Path> overridden) throws OciException {
        String access = input.privileged() ? "rw" : "ro";
        List<OciMount> all = new ArrayList<>();
        all.add(OciMount.of("proc", "proc", "/proc", "nosuid", "noexec", "nodev"));
        all.add(OciMount.of("tmpfs", "tmpfs", "/dev", "nosuid", "strictatime", "mode=755", "size=65536k"));
        all.add(OciMount.of("devpts", "devpts", "/dev/pts", "nosuid", "noexec", "newinstance",
                "ptmxmode=0666",
                "mode=0620", "gid=5"));
        all.add(messageQueues(input));
        all.add(sharedMemory(input));
        all.add(sysfs(input, access));
        all.add(controlGroups(input, access));
        boolean ownDev = overridden.contains(DEV);
        all.removeIf(mount -> overridden.contains(mount.destination())
                || (ownDev && mount.destination().startsWith(DEV)));
        return all;
    }

    /**
     * A version 2 hierarchy has one set of options for the whole machine, and whoever mounts it in the node's cgroup namespace
     * sets them: a mount for a privileged container would switch off nsdelegate and memory_recursiveprot, which systemd has
     * set. It gets the node's own mount instead, which shows the same.
     */
    private static OciMount controlGroups(SpecInput input, String access) {
        return input.host().cgroupV2() && input.privileged()
                ? OciMount.of("bind", "/sys/fs/cgroup", "/sys/fs/cgroup", "rbind", "rprivate", "nosuid",
                        "noexec", "nodev", "relatime", access)
                : OciMount.of("cgroup", "cgroup", "/sys/fs/cgroup", "nosuid", "noexec", "nodev", "relatime",
                        access);
    }

    private static OciMount sharedMemory(SpecInput input) {
        Path shm = input.files().get("shm");
        return switch (input.namespaceOptions().getIpc()) {
            case NODE -> OciMount.of("bind", "/dev/shm", "/dev/shm", "rbind", "rprivate", "rw", "nosuid",
                    "nodev", "noexec");
            case POD, TARGET, CONTAINER, UNRECOGNIZED -> shm != null
                    && input.namespaceOptions().getIpc() == NamespaceMode.POD
                            ? OciMount.of("bind", shm.toString(), "/dev/shm", "rbind", "rprivate", "rw",
                                    "nosuid", "nodev", "noexec")
                            : OciMount.of("tmpfs", "shm", "/dev/shm", "nosuid", "noexec", "nodev",
                                    "mode=1777",
                                    "size=65536k");
        };
    }

    /** The kernel mounts mqueue only for who owns the IPC namespace: not a user namespace in the host's. */
    private static OciMount messageQueues(SpecInput input) throws OciException {
        boolean foreign = NamespaceSection.hasUserNamespace(input)
                && input.namespaceOptions().getIpc() == NamespaceMode.NODE;
        return foreign
                ? OciMount.of("bind", "/dev/mqueue", "/dev/mqueue", "rbind", "rprivate", "rw")
                : OciMount.of("mqueue", "mqueue", "/dev/mqueue", "nosuid", "noexec", "nodev");
    }

    /** The kernel mounts sysfs only for who owns the network namespace: not a user namespace on the host's network. */
    private static OciMount sysfs(SpecInput input, String access) throws OciException {
        boolean foreign = NamespaceSection.hasUserNamespace(input)
                && input.namespaceOptions().getNetwork() == NamespaceMode.NODE;
        return foreign
                ? OciMount.of("bind", "/sys", "/sys", "rbind", "rprivate", "nosuid", "noexec", "nodev",
                        access)
                : OciMount.of("sysfs", "sysfs", "/sys", "nosuid", "noexec", "nodev", access);
    }

    private static List<OciMount> sandboxFiles(SpecInput input, Set<Path> overridden) {
        String access = input.security().getReadonlyRootfs() ? "ro" : "rw";
        List<OciMount> result = new ArrayList<>();
        for (String name : List.of("hostname", "hosts", "resolv.conf")) {
            Path file = input.files().get(name);
            Path destination = Path.of("/etc", name);
            if (file != null && !overridden.contains(destination)) {
                result.add(OciMount.of("bind", file.toString(), destination.toString(), "rbind", "rprivate",
                        access));
            }
        }
        return result;
    }

    /** A mount travels only as far as the mount that it lies in lets it. */
    private static void rootfsPropagation(List<Mount> mounts, ObjectNode linux) {
        if (mounts.stream().anyMatch(m -> m.getPropagation() == MountPropagation.PROPAGATION_BIDIRECTIONAL)) {
            linux.put("rootfsPropagation", "rshared");
        } else if (mounts.stream()
                .anyMatch(m -> m.getPropagation() == MountPropagation.PROPAGATION_HOST_TO_CONTAINER)) {
            linux.put("rootfsPropagation", "rslave");
        }
    }
}
