package io.berth.runtime.oci;

import io.berth.runtime.cgroup.CgroupLayout;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import java.util.zip.GZIPInputStream;

/**
 * What this kernel and this daemon's process allow, read once at start.
 *
 * @param capabilities names ({@code CAP_CHOWN}) in the daemon's bounding set: the most that a container can get
 * @param sysResource whether the daemon has CAP_SYS_RESOURCE
 * @param oomScoreAdj the daemon's own, the least that a container can get without CAP_SYS_RESOURCE
 * @param seccomp whether the kernel has seccomp filters
 * @param appArmor whether AppArmor is the kernel's and on, and profiles can be loaded
 * @param selinux the policy, where SELinux is the kernel's and on, and wanted
 * @param cgroupV2 whether control groups are the unified hierarchy alone
 * @param swapAccounting whether a cgroup's swap can be limited
 * @param noUserNamespaces why pods cannot have user namespaces; empty where they can
 * @param x32 whether the kernel may run programs of the x32 ABI; false only where its configuration says so
 * @param cgroupControllers the controllers that a container can be limited by ({@code memory}, {@code hugetlb}, ...)
 */
public record HostFacts(Set<String> capabilities, boolean sysResource, int oomScoreAdj, boolean seccomp,
        boolean appArmor, Optional<SelinuxPolicy> selinux, boolean cgroupV2, boolean swapAccounting,
        Optional<String> noUserNamespaces, boolean x32, Set<String> cgroupControllers, KernelVersion kernel) {

    public HostFacts {
        capabilities = Set.copyOf(capabilities);
        cgroupControllers = Set.copyOf(cgroupControllers);
    }

    /** Reads this machine and process. */
    public static HostFacts detect() throws IOException {
        return detect(Path.of("/"));
    }

    /** The same with {@code /proc} and {@code /sys} below {@code root}. */
    static HostFacts detect(Path root) throws IOException {
        String status = Files.readString(root.resolve("proc/self/status"));
        CgroupLayout cgroups = CgroupLayout.detect(root);
        Set<String> capabilities = Capabilities.ofMask(Long.parseUnsignedLong(field(status, "CapBnd"), 16));
        return new HostFacts(capabilities,
                capabilities.contains("CAP_SYS_RESOURCE"),
                Integer.parseInt(Files.readString(root.resolve("proc/self/oom_score_adj")).strip()),
                status.contains("\nSeccomp:"),
                read(root.resolve("sys/module/apparmor/parameters/enabled")).startsWith("Y")
                        && AppArmorLoader.parser(root).isPresent(),
                SelinuxPolicy.detect(root),
                cgroups.unifiedOnly(),
                cgroups.swapAccounting(),
                noUserNamespaces(root),
                x32(root),
                cgroups.controllers(),
                KernelVersion.parse(Files.readString(root.resolve("proc/sys/kernel/osrelease"))));
    }

    /** The same node, where something else was found to be lacking for user namespaces of pods. */
    public HostFacts withoutUserNamespaces(String reason) {
        return new HostFacts(capabilities, sysResource, oomScoreAdj, seccomp, appArmor, selinux, cgroupV2,
                swapAccounting, Optional.of(reason), x32, cgroupControllers, kernel);
    }

    /** The same node, where containers are not to be labelled. */
    public HostFacts withoutSelinux() {
        return new HostFacts(capabilities, sysResource, oomScoreAdj, seccomp, appArmor, Optional.empty(),
                cgroupV2,
                swapAccounting, noUserNamespaces, x32, cgroupControllers, kernel);
    }

    /** Whether pods can have user namespaces. */
    public boolean userNamespaces() {
        return noUserNamespaces.isEmpty();
    }

    private static Optional<String> noUserNamespaces(Path root) throws IOException {
        if (!Files.exists(root.resolve("proc/self/ns/user"))) {
            return Optional.of("this kernel has no user namespaces (CONFIG_USER_NS)");
        }
        return read(root.resolve("proc/sys/user/max_user_namespaces")).equals("0")
                ? Optional.of("they are switched off: sysctl user.max_user_namespaces is 0")
                : Optional.empty();
    }

    private static boolean x32(Path root) throws IOException {
        Path own = root.resolve("proc/config.gz");
        Path installed = root.resolve("boot")
                .resolve("config-" + read(root.resolve("proc/sys/kernel/osrelease")));
        if (!Files.exists(own) && !Files.exists(installed)) {
            return true;
        }
        try (InputStream config = Files.exists(own)
                ? new GZIPInputStream(Files.newInputStream(own))
                : Files.newInputStream(installed)) {
            return new String(config.readAllBytes(), StandardCharsets.US_ASCII)
                    .contains("\nCONFIG_X86_X32_ABI=y");
        }
    }

    private static String field(String status, String name) throws IOException {
        return status.lines()
                .filter(line -> line.startsWith(name + ":"))
                .map(line -> line.substring(name.length() + 1).strip())
                .findFirst()
                .orElseThrow(
                        () -> new IOException("/proc/self/status has no " + name + ": is /proc mounted?"));
    }

    /** The file's text, or nothing where the kernel has no such file. */
    private static String read(Path file) throws IOException {
        return Files.exists(file) ? Files.readString(file).strip() : "";
    }
}
