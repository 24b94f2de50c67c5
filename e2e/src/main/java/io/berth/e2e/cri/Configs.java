package io.berth.e2e.cri;

import com.google.protobuf.ByteString;
import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerMetadata;
import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.KeyValue;
import io.berth.cri.v1.LinuxContainerConfig;
import io.berth.cri.v1.LinuxContainerSecurityContext;
import io.berth.cri.v1.LinuxPodSandboxConfig;
import io.berth.cri.v1.LinuxSandboxSecurityContext;
import io.berth.cri.v1.NamespaceMode;
import io.berth.cri.v1.NamespaceOption;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.PodSandboxMetadata;
import io.berth.cri.v1.SecurityProfile;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;

/** Requests as kubelet would make them, to be changed by the caller. */
public final class Configs {
    /** Whether pods are put below slices, by the property {@code e2e.cgroupDriver}; the daemon's driver is then that, too. */
    public static final boolean SYSTEMD_DRIVER = "systemd".equals(System.getProperty("e2e.cgroupDriver"));

    private static final AtomicInteger COUNTER = new AtomicInteger();

    private Configs() {}

    /** A pod with a name of its own, logging to a directory of its own below {@code logs}. */
    public static PodSandboxConfig.Builder pod(String name, Path logs) {
        int serial = COUNTER.incrementAndGet();
        String uid = "%s-%d-%x".formatted(name, serial, System.nanoTime());
        PodSandboxConfig.Builder pod = PodSandboxConfig.newBuilder()
                .setMetadata(
                        PodSandboxMetadata.newBuilder().setName(name).setNamespace("default").setUid(uid))
                .setHostname(name)
                .setLogDirectory(logs.resolve(uid).toString())
                .putLabels("io.kubernetes.pod.name", name)
                .setLinux(LinuxPodSandboxConfig.newBuilder()
                        .setCgroupParent("/kubepods/burstable/pod" + uid)
                        .setSecurityContext(LinuxSandboxSecurityContext.newBuilder()
                                .setNamespaceOptions(namespaces(NamespaceMode.POD))
                                .setSeccomp(runtimeDefault())));
        return SYSTEMD_DRIVER ? inSlice(pod) : pod;
    }

    /** Names the pod's cgroup as kubelet does for the systemd driver, where it is a path, too. */
    public static PodSandboxConfig.Builder inSlice(PodSandboxConfig.Builder pod) {
        pod.getLinuxBuilder()
                .setCgroupParent("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"
                        + pod.getMetadata().getUid().replace('-', '_') + ".slice");
        return pod;
    }

    /** A pod in the network namespace of the node. */
    public static PodSandboxConfig.Builder hostNetworkPod(String name, Path logs) {
        PodSandboxConfig.Builder pod = pod(name, logs).clearHostname();
        pod.getLinuxBuilder().getSecurityContextBuilder().setNamespaceOptions(namespaces(NamespaceMode.NODE));
        return pod;
    }

    /** A container that runs {@code command} of {@code image} under the runtime's seccomp profile. */
    public static ContainerConfig.Builder container(String name, String image, String... command) {
        return ContainerConfig.newBuilder()
                .setMetadata(ContainerMetadata.newBuilder().setName(name))
                .setImage(ImageSpec.newBuilder().setImage(image).setUserSpecifiedImage(image))
                .addAllCommand(List.of(command))
                .setLogPath(name + "_0.log")
                .setLinux(LinuxContainerConfig.newBuilder()
                        .setSecurityContext(LinuxContainerSecurityContext.newBuilder()
                                .setNamespaceOptions(namespaces(NamespaceMode.POD))
                                .setSeccomp(runtimeDefault())));
    }

    /** The same with the paths of {@code /proc} and {@code /sys} that kubelet names for a container's default proc mount. */
    public static ContainerConfig.Builder withDefaultProcMount(ContainerConfig.Builder container) {
        container.getLinuxBuilder().getSecurityContextBuilder()
                .addAllMaskedPaths(List.of("/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore",
                        "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
                        "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
                        "/sys/devices/virtual/powercap"))
                .addAllReadonlyPaths(
                        List.of("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"));
        return container;
    }

    /** A container that numbers its lines from 1, fifty a second. */
    public static ContainerConfig.Builder counting(String name, String image) {
        return container(name, image, "sh", "-c",
                "i=0; while true; do i=$((i + 1)); echo $i; usleep 20000; done");
    }

    /** What it has written so far, where that is so many lines. */
    public static List<String> counted(int lines) {
        return IntStream.rangeClosed(1, lines).mapToObj(Integer::toString).toList();
    }

    /** One variable of a container's environment. */
    public static KeyValue env(String name, String value) {
        return KeyValue.newBuilder().setKey(name).setValue(ByteString.copyFromUtf8(value)).build();
    }

    private static NamespaceOption namespaces(NamespaceMode network) {
        return NamespaceOption.newBuilder()
                .setNetwork(network)
                .setPid(NamespaceMode.CONTAINER)
                .setIpc(NamespaceMode.POD)
                .build();
    }

    private static SecurityProfile runtimeDefault() {
        return SecurityProfile.newBuilder().setProfileType(SecurityProfile.ProfileType.RuntimeDefault)
                .build();
    }
}
