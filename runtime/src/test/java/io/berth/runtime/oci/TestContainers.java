package io.berth.runtime.oci;

import io.berth.cri.v1.NamespaceMode;
import io.berth.cri.v1.NamespaceOption;
import io.berth.runtime.cgroup.Cgroups;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/** Runs built specs through the machine's real OCI runtimes, with a root filesystem of busybox. */
final class TestContainers {
    private static final Duration DEADLINE = Duration.ofSeconds(60);
    private static final byte[] NOTHING = {};

    /**
     * A mount namespace of its own for the command. crun refuses a cgroup v1 node with a controller in use that is not
     * mounted; where hugetlb is so, it is mounted there.
     */
    private static final String IN_OWN_MOUNTS = """
        mount --make-rprivate /
        if grep -q '^hugetlb' /proc/cgroups && ! grep -q ' - cgroup .*hugetlb' /proc/self/mountinfo \\
            && [ -d /sys/fs/cgroup/memory ]; then
          mkdir -p /sys/fs/cgroup/hugetlb && mount -t cgroup -o hugetlb cgroup /sys/fs/cgroup/hugetlb || exit 99
          dir=/sys/fs/cgroup/hugetlb
        fi
        "$@"
        code=$?
        [ -z "$dir" ] || find "$dir" -depth -type d -name "$TEST_CGROUP*" -exec rmdir {} +
        exit $code
        """;

    private final Path directory;
    private final CliOciRuntime runtime;
    final String id = "berth-test-" + UUID.randomUUID();

    TestContainers(Path directory, String runtime) throws IOException {
        this.directory = directory;
        this.runtime = CliOciRuntime.open(runtime, runtime, List.of(), directory.resolve("state"),
                Cgroups.Driver.CGROUPFS, HostFacts.detect(), new SimpleMeterRegistry(), DEADLINE);
        busybox(rootfs());
    }

    /** The request of a container on the host's network, in a cgroup of the test's own. */
    SpecRequest request(String script) throws IOException {
        SpecRequest request = new SpecRequest(rootfs());
        request.namespaces(NamespaceOption.newBuilder()
                .setNetwork(NamespaceMode.NODE)
                .setPid(NamespaceMode.CONTAINER)
                .setIpc(NamespaceMode.NODE));
        request.host = HostFacts.detect();
        request.features = runtime.features();
        request.ociVersion = runtime.ociVersion();
        request.cgroupsPath = "/" + id;
        request.container.clearCommand().addCommand("/bin/sh").addCommand("-c").addArgs(script);
        return request;
    }

    CliOciRuntime runtime() {
        return runtime;
    }

    Path rootfs() {
        return directory.resolve("rootfs");
    }

    /** What the container printed; fails with the runtime's words where it could not run. */
    String run(SpecRequest request) throws IOException {
        OciCommand.Result result = invoke(request, "run");
        if (result.exitCode() != 0) {
            throw new AssertionError(
                    "exit code " + result.exitCode() + ": " + result.error() + result.output());
        }
        return result.output();
    }

    /** {@code run} with the spec written to its bundle. */
    OciCommand.Result invoke(SpecRequest request, String call, String... arguments) throws IOException {
        Files.write(directory.resolve("config.json"), request.build().bytes());
        List<String> command = inOwnMounts();
        command.addAll(runtime.command());
        command.add(call);
        command.addAll(List.of(arguments));
        command.addAll(List.of("--bundle", directory.toString(), id));
        return OciCommand.run(command, NOTHING, DEADLINE);
    }

    private List<String> inOwnMounts() {
        return new ArrayList<>(
                List.of("/usr/bin/env", "TEST_CGROUP=" + id, "unshare", "-m", "sh", "-c", IN_OWN_MOUNTS,
                        "sh"));
    }

    private static void busybox(Path rootfs) throws IOException {
        Path bin = Files.createDirectories(rootfs.resolve("bin"));
        Files.copy(Path.of("/bin/busybox"), bin.resolve("busybox"));
        for (String applet : List.of("sh", "id", "cat", "env", "grep", "ls", "touch", "mount", "hostname",
                "stat",
                "sleep", "readlink", "unshare", "pwd")) {
            Files.createSymbolicLink(bin.resolve(applet), Path.of("busybox"));
        }
        Files.createDirectories(rootfs.resolve("etc"));
        Files.writeString(rootfs.resolve("etc/passwd"),
                "root:x:0:0::/:/bin/sh\napp:x:1000:1001::/:/bin/sh\n");
        Files.writeString(rootfs.resolve("etc/group"), "root:x:0:\napp:x:1001:\nextra:x:2000:app\n");
    }
}
