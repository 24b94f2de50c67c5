package io.berth.runtime.oci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.LinuxContainerResources;
import io.berth.runtime.cgroup.Cgroups;
import io.berth.runtime.cgroup.NodeCgroups;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Needs root, runc, crun and busybox-static. */
class CliOciRuntimeTest {
    private static final Duration DEADLINE = Duration.ofSeconds(60);

    @TempDir
    private Path directory;

    @ParameterizedTest
    @ValueSource(strings = {"runc", "crun"})
    void saysWhatTheRuntimeIs(String name) throws IOException {
        CliOciRuntime runtime = open(name, Cgroups.Driver.SYSTEMD);
        assertThat(runtime.version()).startsWith(name + " version 1.");
        assertThat(runtime.ociVersion()).matches("1\\.[01]\\.\\d+");
        assertThat(runtime.command()).endsWith("--root", directory + "/state", "--log-format", "json",
                "--systemd-cgroup");
    }

    @ParameterizedTest
    @ValueSource(strings = {"runc", "crun"})
    void whatIsAbsentIsDeletedAndKilled(String name) throws IOException {
        CliOciRuntime runtime = open(name, Cgroups.Driver.CGROUPFS);
        runtime.delete("absent", DEADLINE);
        runtime.killAll("absent", 9, DEADLINE);
        assertThat(runtime.list(DEADLINE)).isEmpty();
        assertThatThrownBy(() -> runtime.update("absent", "{}".getBytes(StandardCharsets.UTF_8), DEADLINE))
                .hasMessageContaining(name + " update of container absent (exit code 1): ");
    }

    @Test
    void listsUpdatesEndsAndDeletesAContainer() throws IOException {
        var containers = new TestContainers(directory, "runc");
        CliOciRuntime runtime = containers.runtime();
        NodeCgroups cgroups = NodeCgroups.detect("cgroupfs");
        var request = containers.request("sleep 1000");
        request.resources().setMemoryLimitInBytes(64 << 20);
        try {
            assertThat(containers.invoke(request, "create").exitCode()).isZero();
            assertThat(runtime.list(DEADLINE)).containsExactly(containers.id);
            assertThat(cgroups.processes("/" + containers.id)).hasSize(1);
            byte[] update = ResourceSection.update(
                    LinuxContainerResources.newBuilder().setMemoryLimitInBytes(128 << 20).build(),
                    request.host);
            runtime.update(containers.id, update, DEADLINE);
            assertThat(cgroups.usage("/" + containers.id).orElseThrow().memoryLimitBytes())
                    .hasValue(128 << 20);
            runtime.killAll(containers.id, 9, DEADLINE);
        } finally {
            runtime.delete(containers.id, DEADLINE);
        }
        assertThat(runtime.list(DEADLINE)).isEmpty();
        cgroups.killAndRemove("/" + containers.id);
        assertThat(cgroups.usage("/" + containers.id)).isEmpty();
    }

    @Test
    void timesItsCalls() throws IOException {
        var meters = new SimpleMeterRegistry();
        CliOciRuntime runtime = CliOciRuntime.open("handler", "runc", List.of(), directory.resolve("state"),
                Cgroups.Driver.CGROUPFS, HostFacts.detect(), meters, DEADLINE);
        runtime.list(DEADLINE);
        assertThat(meters.get("berth.oci").tag("call", "list").tag("runtime", "handler").timer().count())
                .isEqualTo(1);
    }

    @Test
    void namesAnExecutableThatIsAbsentOrNoRuntime() throws IOException {
        assertThatThrownBy(() -> open("no-such-runtime", Cgroups.Driver.CGROUPFS))
                .hasMessageContaining("runtime handler no-such-runtime: no-such-runtime is not on PATH")
                .hasMessageContaining("set runtimes.no-such-runtime.path");
        Path script = Files.writeString(directory.resolve("script"), "#!/bin/sh\necho hello\n");
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwx------"));
        assertThatThrownBy(() -> open(script.toString(), Cgroups.Driver.CGROUPFS))
                .hasMessageContaining(
                        "does not say which OCI spec it reads; is it an OCI runtime? It said: hello");
    }

    private CliOciRuntime open(String name, Cgroups.Driver driver) throws IOException {
        return CliOciRuntime.open(name, name, List.of(), directory.resolve("state"), driver,
                HostFacts.detect(),
                new SimpleMeterRegistry(), DEADLINE);
    }
}
