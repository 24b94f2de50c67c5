package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerStatsRequest;
import io.berth.cri.v1.ContainerStatusRequest;
import io.berth.cri.v1.ExecRequest;
import io.berth.cri.v1.ExecSyncRequest;
import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.ImageStatusRequest;
import io.berth.cri.v1.ListPodSandboxRequest;
import io.berth.cri.v1.Mount;
import io.berth.cri.v1.PodSandboxConfig;
import io.berth.cri.v1.PodSandboxStatusRequest;
import io.berth.cri.v1.PullImageRequest;
import io.berth.cri.v1.RemoveContainerRequest;
import io.berth.cri.v1.RemovePodSandboxRequest;
import io.berth.cri.v1.RunPodSandboxRequest;
import io.berth.cri.v1.SecurityProfile;
import io.berth.cri.v1.StartContainerRequest;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** Who may ask Berth for something, and how far a request reaches. */
@Testcontainers
final class AccessIT {
    private static final String SECRET = "a-secret-of-the-container";
    private static final int KIBIBYTE = 1 << 10;
    private static final int MEBIBYTE = 1 << 20;

    @Container
    static final Node NODE = new Node();

    @Test
    void theSocketIsRootsAlone() throws IOException {
        Path socket = NODE.server().socket();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
                .isEqualTo("rw-rw----");
        assertThat(Files.getAttribute(socket, "unix:uid")).isEqualTo(0);
        assertThat(Files.getAttribute(socket, "unix:gid")).isEqualTo(0);
    }

    @Test
    void whatAContainersEnvironmentHoldsIsReadByRootAlone() {
        ContainerConfig.Builder config = Configs.container("main", NODE.busybox(), "sleep", "1000")
                .addEnvs(Configs.env("PASSWORD", SECRET));
        try (PodHandle pod = NODE.pod("secret", "runc")) {
            ContainerHandle container = pod.start(config);
            assertThat(container.sh("echo $PASSWORD")).isEqualTo(SECRET);
            Path daemon = NODE.directory().resolve("d");
            List<String> holders = files("grep", "-rlaF", "--exclude-dir=proc", SECRET,
                    daemon.resolve("root").toString(), daemon.resolve("state").toString());

            assertThat(holders).as("files with the secret").anyMatch(file -> file.endsWith("config.json"))
                    .anyMatch(file -> file.contains("berth.db"));
            for (String file : holders) {
                Command.Result read = Command.run(List.of("setpriv", "--reuid=65534", "--regid=65534",
                        "--clear-groups", "cat", file));
                assertThat(read.exitCode()).as(file + " as nobody").isNotZero();
                assertThat(read.stderr()).contains("Permission denied");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"../outside.log", "a/../../outside.log", "/tmp/outside.log", ".", "a/../.."})
    void aLogPathStaysBelowTheLogDirectory(String logPath) {
        try (PodHandle pod = NODE.pod("logpath", "runc")) {
            assertRefused(
                    () -> pod.create(Configs.container("main", NODE.busybox(), "true").setLogPath(logPath)),
                    Status.Code.INVALID_ARGUMENT, "config.log_path");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"relative/logs", "/var/log/../../etc", "/var/log/pods/.."})
    void aLogDirectoryIsAbsoluteAndHasNoWayUp(String logDirectory) {
        assertRefused(() -> NODE.cri().runtime().runPodSandbox(RunPodSandboxRequest.newBuilder()
                .setConfig(Configs.pod("logdir", NODE.logs()).setLogDirectory(logDirectory)).build()),
                Status.Code.INVALID_ARGUMENT, "config.log_directory");
    }

    @ParameterizedTest
    @ValueSource(strings = {"../../etc/passwd", "/etc/passwd", "..", ".", "a/b", "\n", "%2e%2e", "*"})
    void anIdIsNoPath(String id) {
        var runtime = NODE.cri().runtime();
        for (ThrowingCallable call : List.<ThrowingCallable>of(
                () -> runtime.containerStatus(ContainerStatusRequest.newBuilder().setContainerId(id).build()),
                () -> runtime.containerStats(ContainerStatsRequest.newBuilder().setContainerId(id).build()),
                () -> runtime.startContainer(StartContainerRequest.newBuilder().setContainerId(id).build()),
                () -> runtime
                        .execSync(ExecSyncRequest.newBuilder().setContainerId(id).addCmd("true").build()),
                () -> runtime.exec(
                        ExecRequest.newBuilder().setContainerId(id).addCmd("true").setStdout(true).build()),
                () -> runtime.podSandboxStatus(
                        PodSandboxStatusRequest.newBuilder().setPodSandboxId(id).build()))) {
            assertRefused(call, Status.Code.NOT_FOUND, "not found");
        }
        runtime.removeContainer(RemoveContainerRequest.newBuilder().setContainerId(id).build());
        runtime.removePodSandbox(RemovePodSandboxRequest.newBuilder().setPodSandboxId(id).build());
        assertThat(Path.of("/etc/passwd")).exists();
    }

    @ParameterizedTest
    @ValueSource(strings = {"../../tmp/evil", "/", "a/../b", "$(touch /tmp/evil)", "..", "name with spaces"})
    void aPodsNameIsNoPath(String name) {
        Set<String> before = new HashSet<>(
                files("find", NODE.directory().resolve("d").toString(), "-name", "*evil*"));
        PodSandboxConfig.Builder config = Configs.pod("named", NODE.logs());
        config.getMetadataBuilder().setName(name).setNamespace(name);
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, "runc")) {
            assertThat(pod.status().getMetadata().getName()).isEqualTo(name);
            ContainerConfig.Builder container = Configs.container("main", NODE.busybox(), "echo", "fine");
            container.getMetadataBuilder().setName(name);
            assertThat(pod.start(container).output()).isEqualTo("fine");
        }
        assertThat(files("find", NODE.directory().resolve("d").toString(), "-name", "*evil*"))
                .containsExactlyInAnyOrderElementsOf(before);
        assertThat(Path.of("/tmp/evil")).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(strings = {"a;K8S_POD_NAME=other", "a=b", "a\nb"})
    void aPodsNameCannotBecomeAnArgumentOfANetworkPlugin(String name) {
        PodSandboxConfig.Builder config = Configs.pod("named", NODE.logs());
        config.getMetadataBuilder().setName(name);
        assertThatThrownBy(() -> PodHandle.run(NODE.cri(), config, "runc"))
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageContaining("may not hold");
    }

    @ParameterizedTest
    @ValueSource(strings = {"../../etc/passwd", "registry/../../etc", "/etc/passwd", "registry/UPPER", "a b",
            "",
            "registry:5000/a@sha256:../../x"})
    void anImageReferenceIsNoPath(String reference) {
        ImageSpec image = ImageSpec.newBuilder().setImage(reference).build();
        assertRefused(
                () -> NODE.cri().images().pullImage(PullImageRequest.newBuilder().setImage(image).build()),
                Status.Code.INVALID_ARGUMENT, "");
        assertThat(NODE.cri().images().imageStatus(ImageStatusRequest.newBuilder().setImage(
                ImageSpec.newBuilder().setImage("sha256:../../../etc/passwd")).build()).hasImage()).isFalse();
    }

    @Test
    void whereAContainersMountsSysctlsAndProfilesPointIsChecked() {
        PodSandboxConfig.Builder sysctl = Configs.pod("sysctl", NODE.logs());
        sysctl.getLinuxBuilder().putSysctls("net/../../../../tmp/evil", "1");
        assertRefused(() -> PodHandle.run(NODE.cri(), sysctl, "runc"), Status.Code.INVALID_ARGUMENT,
                "sysctl");
        PodSandboxConfig.Builder cgroup = Configs.pod("cgroup", NODE.logs());
        cgroup.getLinuxBuilder().setCgroupParent("/kubepods/../../evil");
        assertRefused(() -> PodHandle.run(NODE.cri(), cgroup, "runc"), Status.Code.INVALID_ARGUMENT,
                "cgroup_parent");
        try (PodHandle pod = NODE.pod("mounts", "runc")) {
            ContainerConfig.Builder seccomp = Configs.container("seccomp", NODE.busybox(), "true");
            seccomp.getLinuxBuilder().getSecurityContextBuilder().setSeccomp(SecurityProfile.newBuilder()
                    .setProfileType(SecurityProfile.ProfileType.Localhost).setLocalhostRef("../etc/passwd"));
            assertRefused(() -> pod.create(seccomp), Status.Code.INVALID_ARGUMENT, "../etc/passwd");
            // A path with a way up is resolved below the container's root, as the kernel does it for the container.
            Path source = NODE.directory().resolve("mounted");
            Command.output("mkdir", "-p", source.toString());
            assertThat(pod.start(Configs.container("up", NODE.busybox(), "sh", "-c", "ls -d /up")
                    .addMounts(
                            Mount.newBuilder().setHostPath(source.toString()).setContainerPath("/../../up")))
                    .output()).isEqualTo("/up");
            assertThat(Path.of("/up")).doesNotExist();
        }
    }

    @Test
    void aRequestOfMoreThan16MebibytesIsRefused() {
        PodSandboxConfig.Builder large = Configs.pod("large", NODE.logs())
                .putAnnotations("large", "x".repeat(17 * MEBIBYTE));
        assertRefused(() -> PodHandle.run(NODE.cri(), large, "runc"), Status.Code.RESOURCE_EXHAUSTED,
                "exceeds maximum size " + 16 * MEBIBYTE);
        NODE.pod("small", "runc").close();
    }

    @Test
    void whatListsRepeatOfEveryPodIsBounded() {
        assertRefused(() -> PodHandle.run(NODE.cri(), Configs.pod("many", NODE.logs())
                .putAnnotations("large", "x".repeat(600 * KIBIBYTE)), "runc"), Status.Code.INVALID_ARGUMENT,
                "labels and annotations");
        PodSandboxConfig.Builder labels = Configs.pod("labels", NODE.logs());
        for (int i = 0; i < 100_000; i++) {
            labels.putLabels("label-" + i, "x");
        }
        assertRefused(() -> PodHandle.run(NODE.cri(), labels, "runc"), Status.Code.INVALID_ARGUMENT,
                "labels and annotations");
        // What Kubernetes allows at the most.
        try (PodHandle pod = PodHandle.run(NODE.cri(), Configs.pod("most", NODE.logs())
                .putAnnotations("large", "x".repeat(256 * KIBIBYTE)), "runc")) {
            ContainerConfig.Builder annotated = Configs.container("main", NODE.busybox(), "true")
                    .putAnnotations("large", "x".repeat(600 * KIBIBYTE));
            assertRefused(() -> pod.create(annotated), Status.Code.INVALID_ARGUMENT,
                    "labels and annotations");
            ContainerConfig.Builder environment = Configs.container("env", NODE.busybox(), "true");
            for (int i = 0; i < 50_000; i++) {
                environment.addEnvs(Configs.env("VARIABLE_" + i, "x".repeat(100)));
            }
            assertRefused(() -> pod.create(environment), Status.Code.INVALID_ARGUMENT, "config is");
            ContainerConfig.Builder mounts = Configs.container("mounts", NODE.busybox(), "true");
            for (int i = 0; i < 20_000; i++) {
                mounts.addMounts(Mount.newBuilder().setHostPath("/tmp").setContainerPath("/mnt/" + i));
            }
            assertRefused(() -> pod.create(mounts), Status.Code.INVALID_ARGUMENT, "config.mounts");
        }
        assertThat(NODE.cri().runtime().listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                .getItemsList()).isEmpty();
    }

    @Test
    void aStreamingUrlIsLongRandomAndWorksOnceForItsOwnVerb() throws IOException {
        try (PodHandle pod = NODE.pod("tokens", "runc")) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sleep", "1000"));
            var urls = new HashSet<String>();
            for (int i = 0; i < 200; i++) {
                urls.add(NODE.cri().runtime().exec(ExecRequest.newBuilder().setContainerId(container.id())
                        .addCmd("true").setStdout(true).build()).getUrl());
            }
            assertThat(urls).hasSize(200)
                    .allMatch(url -> url.matches("http://127\\.0\\.0\\.1:\\d+/exec/[A-Za-z0-9_-]{32}"));
            String url = urls.iterator().next();
            assertThat(status(url.replace("/exec/", "/attach/"))).isEqualTo(404);
            assertThat(status(url.substring(0, url.length() - 1))).isEqualTo(404);
            assertThat(status(url + "/../" + url.substring(url.lastIndexOf('/') + 1))).isEqualTo(404);
            // 403: the token is right, and now used; no protocol was named.
            assertThat(status(url)).isEqualTo(403);
            assertThat(status(url)).isEqualTo(404);
        }
    }

    /** What a WebSocket upgrade that names no protocol is answered. */
    private static int status(String url) throws IOException {
        URI uri = URI.create(url);
        try (var socket = new Socket(uri.getHost(), uri.getPort())) {
            socket.getOutputStream()
                    .write(("GET " + uri.getRawPath() + " HTTP/1.1\r\nHost: " + uri.getAuthority()
                            + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
                            .getBytes(StandardCharsets.US_ASCII));
            String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
            return Integer.parseInt(answer.split(" ")[1]);
        }
    }

    private static void assertRefused(ThrowingCallable call, Status.Code code, String words) {
        assertThatThrownBy(call).isInstanceOfSatisfying(StatusRuntimeException.class, e -> {
            assertThat(e.getStatus().getCode()).as(e.getMessage()).isEqualTo(code);
            assertThat(e.getMessage()).contains(words);
        });
    }

    private static List<String> files(String... command) {
        return Command.run(List.of(command)).stdout().lines().toList();
    }
}
