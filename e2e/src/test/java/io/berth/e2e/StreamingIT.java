package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.AttachRequest;
import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ExecRequest;
import io.berth.cri.v1.PortForwardRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Channels;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Ports;
import io.berth.e2e.node.Node;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** The fields of Exec, Attach and PortForward, as a client of the URLs sees them. */
@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class StreamingIT {
    private static final int STDIN = 0;
    private static final int STDOUT = 1;
    private static final int STDERR = 2;
    private static final int OUTCOME = 3;
    private static final int SIZE = 4;
    private static final String V5 = "v5.channel.k8s.io";
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @Container
    static final Node NODE = new Node();

    private final String handler;

    StreamingIT(String handler) {
        this.handler = handler;
    }

    @ParameterizedTest
    @ValueSource(strings = {V5, "v4.channel.k8s.io"})
    void anExecKeepsOutputAndErrorsApartAndTellsItsExitCode(String protocol) {
        try (PodHandle pod = NODE.pod("exec", handler);
                Channels exec = Channels.connect(exec(pod.start(idle()), "sh", "-c",
                        "echo out; echo err >&2; exit 7"), protocol)) {
            assertThat(exec.protocol()).isEqualTo(protocol);
            assertThat(exec.awaitEnd(OUTCOME)).contains("\"status\":\"Failure\"").contains("ExitCode")
                    .contains("\"7\"");
            assertThat(exec.text(STDOUT)).isEqualTo("out\n");
            assertThat(exec.text(STDERR)).isEqualTo("err\n");
        }
    }

    @Test
    void anExecReadsItsInputToTheEnd() {
        try (PodHandle pod = NODE.pod("stdin", handler);
                Channels exec = Channels.connect(exec(ExecRequest.newBuilder().setStdin(true)
                        .setStdout(true), pod.start(idle()), "sh", "-c", "cat; echo end"), V5)) {
            exec.send(STDIN, "typed\n");
            exec.await(STDOUT, "typed\n");
            exec.end(STDIN);
            assertThat(exec.awaitEnd(STDOUT)).isEqualTo("typed\nend\n");
            assertThat(exec.text(OUTCOME)).contains("\"status\":\"Success\"");
        }
    }

    @Test
    void aStreamThatWasNotAskedForIsNotSent() {
        try (PodHandle pod = NODE.pod("quiet", handler);
                Channels exec = Channels.connect(exec(ExecRequest.newBuilder().setStdout(true),
                        pod.start(idle()), "sh", "-c", "echo out; echo err >&2"), V5)) {
            assertThat(exec.awaitEnd(STDOUT)).isEqualTo("out\n");
            assertThat(exec.text(STDERR)).isEmpty();
        }
    }

    @Test
    void anExecWithATerminalHasTheSizeThatTheClientSays() {
        try (PodHandle pod = NODE.pod("tty", handler);
                Channels exec = Channels.connect(exec(ExecRequest.newBuilder().setTty(true).setStdin(true)
                        .setStdout(true), pod.start(idle()), "sh"), V5)) {
            exec.send(SIZE, "{\"Width\":101,\"Height\":42}");
            exec.send(STDIN, "stty size; tty; exit 3\n");
            assertThat(exec.awaitEnd(STDOUT)).contains("42 101").contains("/dev/pts/");
            assertThat(exec.text(OUTCOME)).contains("\"3\"");
        }
    }

    @Test
    void aTokenIsGoodOnce() {
        try (PodHandle pod = NODE.pod("token", handler)) {
            String url = exec(pod.start(idle()), "true");
            Channels.connect(url, V5).close();

            assertThatThrownBy(() -> Channels.connect(url, V5)).hasMessageContaining("WebSocketHandshake");
        }
    }

    @Test
    void whoIsAttachedHearsAndIsHeardByTheContainersProcess() {
        try (PodHandle pod = NODE.pod("attach", handler)) {
            ContainerHandle container = pod.start(Configs.container("main", NODE.busybox(), "sh", "-c",
                    "while read line; do echo heard $line; echo noise >&2; done").setStdin(true));
            try (Channels one = Channels.connect(attach(container, false, true), V5);
                    Channels other = Channels.connect(attach(container, false, false), V5)) {
                // What was said before a client had joined, it does not hear.
                Await.until("both hear", PATIENCE, () -> {
                    one.send(STDIN, "hello\n");
                    return one.text(STDOUT).contains("heard hello\n")
                            && other.text(STDOUT).contains("heard hello\n");
                }, heard -> heard);
                other.await(STDERR, "noise\n");
            }
            assertThat(container.awaitLog(2)).anyMatch(line -> line.text().equals("heard hello"));
        }
    }

    @Test
    void inputForOneClientEndsWithThatClient() {
        try (PodHandle pod = NODE.pod("once", handler)) {
            ContainerHandle container = pod
                    .start(Configs.container("main", NODE.busybox(), "cat").setStdin(true)
                            .setStdinOnce(true));
            try (Channels client = Channels.connect(attach(container, false, true), V5)) {
                client.send(STDIN, "only\n");
                client.await(STDOUT, "only\n");
            }
            assertThat(container.awaitExit().getExitCode()).isZero();
        }
    }

    @Test
    void anAttachedTerminalIsTheContainers() {
        try (PodHandle pod = NODE.pod("attachtty", handler)) {
            ContainerHandle container = pod
                    .start(Configs.container("main", NODE.busybox(), "sh").setStdin(true)
                            .setTty(true));
            try (Channels client = Channels.connect(attach(container, true, true), V5)) {
                client.send(SIZE, "{\"Width\":80,\"Height\":25}");
                client.send(STDIN, "stty size\n");
                client.await(STDOUT, "25 80");
            }
        }
    }

    @Test
    void aPortOfThePodIsForwarded() {
        try (PodHandle pod = NODE.pod("forward", handler)) {
            ContainerHandle server = pod.start(Configs.container("server", NODE.busybox(), "sh", "-c",
                    "echo page > /www/index.html; exec httpd -f -p 127.0.0.1:8080 -h /www"));
            Await.until("it serves", PATIENCE,
                    () -> server.exec(5, "wget", "-q", "-O", "-", "http://127.0.0.1:8080/").getExitCode(),
                    code -> code == 0);
            assertThat(fetched(pod, 8080)).contains("200 OK").endsWith("page\n");
        }
    }

    @Test
    void aPortOfAPodOnTheNodesNetworkIsThatOfTheNode() throws Exception {
        int port = Ports.free();
        var config = Configs.hostNetworkPod("forwardhost", NODE.logs());
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            pod.start(Configs.container("server", NODE.busybox(), "sh", "-c",
                    "echo node > /www/index.html; exec httpd -f -p 127.0.0.1:" + port + " -h /www"));
            Await.until("it serves", PATIENCE, () -> Ports.isOpen("127.0.0.1", port), open -> open);
            assertThat(fetched(pod, port)).contains("200 OK").endsWith("node\n");
        }
    }

    private static String fetched(PodHandle pod, int port) {
        String url = NODE.cri().runtime().portForward(PortForwardRequest.newBuilder()
                .setPodSandboxId(pod.id()).addPort(port).build()).getUrl();
        try (Channels forward = Channels.connect(url, "v4.channel.k8s.io")) {
            forward.send(0, "GET /index.html HTTP/1.0\r\n\r\n");
            return forward.awaitEnd(0);
        }
    }

    private static String exec(ContainerHandle container, String... command) {
        return exec(ExecRequest.newBuilder().setStdout(true).setStderr(true), container, command);
    }

    private static String exec(ExecRequest.Builder request, ContainerHandle container, String... command) {
        return NODE.cri().runtime().exec(request.setContainerId(container.id())
                .addAllCmd(java.util.List.of(command)).build()).getUrl();
    }

    private static String attach(ContainerHandle container, boolean tty, boolean stdin) {
        return NODE.cri().runtime().attach(AttachRequest.newBuilder().setContainerId(container.id())
                .setTty(tty).setStdin(stdin).setStdout(true).setStderr(!tty).build()).getUrl();
    }

    private static ContainerConfig.Builder idle() {
        return Configs.container("idle", NODE.busybox(), "sleep", "1000");
    }
}
