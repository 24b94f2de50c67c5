package io.berth.runtime.oci;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.cri.v1.LinuxContainerSecurityContext;
import io.berth.cri.v1.SELinuxOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Builds a container's OCI runtime configuration from its CRI request, its image and its sandbox (OCI runtime-spec,
 * config.md and config-linux.md). Every Linux field of the request that a spec can carry is obeyed, or refused by its
 * name. Resource limits of processes (rlimits) have no CRI field: a container has the daemon's.
 */
public final class SpecBuilder {
    /** What Kubernetes hides of /proc and /sys where a request names nothing (its procMount Default). */
    private static final List<String> MASKED = List.of("/proc/asound", "/proc/acpi", "/proc/interrupts",
            "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
            "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap");
    private static final List<String> READ_ONLY = List.of("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
            "/proc/sysrq-trigger");

    /** Classes of rdt and blockio come as annotations; the CRI has no field for them. */
    private static final List<String> CLASS_ANNOTATIONS = List.of("rdt.resources.beta.kubernetes.io/",
            "blockio.resources.beta.kubernetes.io/", "io.kubernetes.cri.rdt-class",
            "io.kubernetes.cri.blockio-class");

    private SpecBuilder() {}

    /**
     * Builds the spec. Reads the rootfs' passwd and group files, the mount sources and devices; changes nothing.
     *
     * @throws OciException INVALID or UNSUPPORTED naming the CRI field that cannot be obeyed, FAILED where the node could
     *         not be read
     */
    public static OciSpec build(SpecInput input) throws OciException {
        refuse(input);
        List<String> warnings = new ArrayList<>();
        ObjectNode spec = OciSpec.object();
        spec.put("ociVersion", input.ociVersion());
        Capabilities capabilities = Capabilities.of(input.security().getCapabilities(), input.privileged(),
                input.host().capabilities());
        spec.set("process", process(input, capabilities, warnings));
        spec.putObject("root")
                .put("path", input.rootfs().toString())
                .put("readonly", input.security().getReadonlyRootfs());
        ObjectNode linux = OciSpec.object();
        MountSection.build(input, spec, linux);
        linux(input, capabilities, linux);
        spec.set("linux", linux);
        annotations(input, spec);
        return new OciSpec(spec, List.copyOf(warnings));
    }

    private static void refuse(SpecInput input) throws OciException {
        if (input.container().hasWindows()) {
            throw OciException.invalid("windows", "this is a Linux node");
        }
        if (input.privileged() && !input.sandboxSecurity().getPrivileged()) {
            throw OciException.invalid("privileged", "the container's sandbox is not privileged");
        }
        for (Map<String, String> annotations : List.of(input.container().getAnnotationsMap(),
                input.sandbox().getAnnotationsMap())) {
            for (String name : annotations.keySet()) {
                if (CLASS_ANNOTATIONS.stream().anyMatch(name::startsWith)) {
                    throw OciException.invalid("annotations", name
                            + ": rdt and blockio classes are not supported by berth");
                }
            }
        }
    }

    private static ObjectNode process(SpecInput input, Capabilities capabilities, List<String> warnings)
            throws OciException {
        LinuxContainerSecurityContext security = input.security();
        ObjectNode process = ProcessSection.build(input);
        process.set("user", ProcessUser.of(security, input.image().config().user(), input.rootfs()).json());
        process.set("capabilities", capabilities.json());
        process.put("noNewPrivileges", security.getNoNewPrivs());
        Optional<String> appArmor = AppArmorProfile.of(input);
        if (appArmor.isPresent()) {
            process.put("apparmorProfile", appArmor.get());
        }
        Optional<SelinuxLabels> selinux = input.selinux();
        if (selinux.isPresent()) {
            process.put("selinuxLabel", selinux.get().process());
        } else if (!security.getSelinuxOptions().equals(SELinuxOption.getDefaultInstance())
                && input.host().selinux().isEmpty()) {
            warnings.add(
                    "selinux_options are without effect: this node has no SELinux, or the configuration says selinux = false");
        }
        if (input.container().getLinux().hasResources()) {
            process.put("oomScoreAdj",
                    ResourceSection.oomScoreAdj(input.resources().getOomScoreAdj(), input.host(),
                            warnings::add));
        }
        return process;
    }

    private static void linux(SpecInput input, Capabilities capabilities, ObjectNode linux)
            throws OciException {
        linux.put("cgroupsPath", input.cgroupsPath());
        NamespaceSection.build(input, linux);
        ObjectNode resources = ResourceSection.build(input.resources(), input.host());
        if (input.defaultPidsLimit() > 0) {
            resources.putObject("pids").put("limit", input.defaultPidsLimit());
        }
        DeviceSection.build(input, linux, resources);
        linux.set("resources", resources);
        Optional<ObjectNode> seccomp = SeccompSection.build(input, capabilities.granted());
        if (seccomp.isPresent()) {
            linux.set("seccomp", seccomp.get());
        }
        Optional<SelinuxLabels> selinux = input.selinux();
        if (selinux.isPresent()) {
            linux.put("mountLabel", selinux.get().mount());
        }
        paths(input, linux);
    }

    private static void paths(SpecInput input, ObjectNode linux) throws OciException {
        List<String> masked = input.security().getMaskedPathsList();
        List<String> readOnly = input.security().getReadonlyPathsList();
        if (input.privileged()) {
            // Nothing by default, but what a request names.
            if (!masked.isEmpty()) {
                linux.set("maskedPaths", OciSpec.strings(absolute("masked_paths", masked)));
            }
            if (!readOnly.isEmpty()) {
                linux.set("readonlyPaths", OciSpec.strings(absolute("readonly_paths", readOnly)));
            }
            return;
        }
        if (masked.isEmpty() && readOnly.isEmpty() && NamespaceSection.hasUserNamespace(input)) {
            // kubelet's procMount Unmasked, which it allows in user namespaces only. On the wire an empty list is no
            // different from an absent one; kubelet names the defaults where it wants them.
            return;
        }
        linux.set("maskedPaths",
                OciSpec.strings(absolute("masked_paths", masked.isEmpty() ? MASKED : masked)));
        linux.set("readonlyPaths",
                OciSpec.strings(absolute("readonly_paths", readOnly.isEmpty() ? READ_ONLY : readOnly)));
    }

    private static List<String> absolute(String field, List<String> paths) throws OciException {
        for (String path : paths) {
            if (!path.startsWith("/")) {
                throw OciException.invalid(field, "\"" + path + "\" is not an absolute path");
            }
        }
        return paths;
    }

    /** The container's own, and the names by which OCI hooks and sandboxed runtimes know a pod. */
    private static void annotations(SpecInput input, ObjectNode spec) {
        Map<String, String> annotations = new TreeMap<>(input.container().getAnnotationsMap());
        annotations.put("io.kubernetes.cri.container-type", "container");
        annotations.put("io.kubernetes.cri.sandbox-id", input.sandboxId());
        annotations.put("io.kubernetes.cri.sandbox-name", input.sandbox().getMetadata().getName());
        annotations.put("io.kubernetes.cri.sandbox-namespace", input.sandbox().getMetadata().getNamespace());
        annotations.put("io.kubernetes.cri.sandbox-uid", input.sandbox().getMetadata().getUid());
        annotations.put("io.kubernetes.cri.container-name", input.container().getMetadata().getName());
        annotations.put("io.kubernetes.cri.image-name", input.container().getImage().getImage());
        ObjectNode json = spec.putObject("annotations");
        annotations.forEach(json::put);
    }
}
