package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.VersionRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.node.BerthDaemon;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The installed daemon as its supervisor and its operator see it: a process with a socket, a log and an exit status. */
final class DaemonProcessIT {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final List<Process> started = new ArrayList<>();

    @TempDir
    Path directory;

    @AfterEach
    void endThem() throws Exception {
        for (Process process : started) {
            process.destroyForcibly().waitFor();
        }
    }

    @Test
    void aSignalEndsItWithStatusZeroAndNoSocket() throws Exception {
        Process daemon = serving("a", List.of());
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket("a"))))
                .isEqualTo("rw-rw----");
        daemon.destroy();
        assertThat(statusOf(daemon)).isZero();
        assertThat(socket("a")).doesNotExist();
        assertThat(log("a")).contains("stopping; containers run on", "stopped");
    }

    @Test
    void aSocketThatAKilledDaemonLeftIsReplaced() throws Exception {
        Process killed = serving("a", List.of());
        killed.destroyForcibly().waitFor();
        assertThat(socket("a")).exists();
        serving("a", List.of());
    }

    @Test
    void aSecondDaemonIsKeptOutOfTheSameRoot() throws Exception {
        Process first = serving("a", List.of());
        Process second = start(BerthDaemon.executable(), "b",
                List.of("--root", directory.resolve("a/root").toString()),
                Map.of());
        assertThat(statusOf(second)).isEqualTo(1);
        assertThat(log("b"))
                .isEqualTo("berth: " + directory.resolve("a/root") + " is in use by another berth (pid "
                        + first.pid() + ", by " + directory.resolve("a/root/berth.lock")
                        + "); stop it, or choose another directory\n");
    }

    @Test
    void aSecondDaemonIsKeptOffTheSameSocket() throws Exception {
        serving("a", List.of());
        Process second = start(BerthDaemon.executable(), "b", List.of("--socket", socket("a").toString()),
                Map.of());
        assertThat(statusOf(second)).isEqualTo(1);
        assertThat(log("b")).contains("berth: another process listens at " + socket("a")
                + "; stop it, or choose another socket with --socket\n");
        assertThat(version(socket("a"))).isEqualTo("berth");
    }

    @Test
    void aWrongConfigurationEndsItWithStatusTwo() throws Exception {
        Path config = Files.writeString(directory.resolve("config.toml"), "[cni]\nconfdir = \"/x\"\n");
        Process daemon = start(BerthDaemon.executable(), "a", List.of("--config", config.toString()),
                Map.of());
        assertThat(statusOf(daemon)).isEqualTo(2);
        assertThat(log("a")).isEqualTo(
                "berth: " + config + ":2:1: unknown key cni.confdir; did you mean cni.conf_dir?\n");
    }

    @Test
    void itStartsFromAnyFolderThroughASymbolicLink() throws Exception {
        Path link = Files.createSymbolicLink(directory.resolve("my berth"), BerthDaemon.executable());
        Process version = process(Files.createDirectory(directory.resolve("else where")), "v",
                List.of(link.toString(), "version"), Map.of());
        assertThat(statusOf(version)).isZero();
        assertThat(log("v")).startsWith("berth ");
    }

    @Test
    void itTellsItsSupervisorWhenItServesAndWhenItStops() throws Exception {
        Path address = directory.resolve("notify");
        Epoll.ensureAvailability();
        Socket supervisor = Socket.newSocketDomainDgram();
        try {
            supervisor.bind(new DomainSocketAddress(address.toFile()));
            Process daemon = start(BerthDaemon.executable(), "a", List.of(),
                    Map.of("NOTIFY_SOCKET", address.toString()));
            assertThat(receive(supervisor)).startsWith("READY=1\n");
            assertThat(version(socket("a"))).isEqualTo("berth");
            daemon.destroy();
            assertThat(receive(supervisor)).isEqualTo("STOPPING=1");
            assertThat(statusOf(daemon)).isZero();
        } finally {
            supervisor.close();
        }
    }

    @Test
    void itTimesItsCallsForPrometheus() throws Exception {
        serving("a", List.of(), Map.of("BERTH_METRICS_ENABLED", "true", "BERTH_METRICS_PORT", "0"));
        version(socket("a"));
        Matcher port = Pattern.compile("serving metrics address=127\\.0\\.0\\.1 port=(\\d+)")
                .matcher(log("a"));
        assertThat(port.find()).isTrue();
        try (HttpClient client = HttpClient.newHttpClient()) {
            String metrics = client.send(
                    HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port.group(1) + "/metrics"))
                            .build(),
                    HttpResponse.BodyHandlers.ofString()).body();
            assertThat(metrics)
                    .containsPattern("berth_rpc_seconds_count\\{code=\"OK\",method=\"Version\"\\} [1-9]");
        }
    }

    @Test
    void theLogCanBeJson() throws Exception {
        serving("a", List.of("--log-level", "debug"), Map.of("BERTH_LOG_FORMAT", "json"));
        assertThat(log("a").lines()).allMatch(line -> line.startsWith("{\"time\":\"") && line.endsWith("}"))
                .anyMatch(line -> line.contains("\"message\":\"serving the CRI\""));
    }

    private Process serving(String name, List<String> options) throws IOException {
        return serving(name, options, Map.of());
    }

    private Process serving(String name, List<String> options, Map<String, String> environment)
            throws IOException {
        Process daemon = start(BerthDaemon.executable(), name, options, environment);
        Await.until("daemon " + name + " serves", PATIENCE, () -> {
            if (!daemon.isAlive()) {
                throw new IllegalStateException("the daemon ended: " + log(name));
            }
            return log(name).contains("serving the CRI");
        }, serves -> serves);
        assertThat(version(socket(name))).isEqualTo("berth");
        return daemon;
    }

    private Process start(Path executable, String name, List<String> options, Map<String, String> environment)
            throws IOException {
        Path own = Files.createDirectories(directory.resolve(name));
        var command = new ArrayList<>(List.of(executable.toString(), "daemon"));
        command.addAll(options);
        addUnless(options, command, "--config", Files.writeString(own.resolve("config.toml"), ""));
        addUnless(options, command, "--root", own.resolve("root"));
        addUnless(options, command, "--state", own.resolve("state"));
        addUnless(options, command, "--socket", socket(name));
        return process(own, name, command, environment);
    }

    private static void addUnless(List<String> given, List<String> command, String option, Path value) {
        if (!given.contains(option)) {
            command.add(option);
            command.add(value.toString());
        }
    }

    private Process process(Path workingDirectory, String name, List<String> command,
            Map<String, String> environment)
            throws IOException {
        var builder = new ProcessBuilder(command).directory(workingDirectory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve(name + ".log").toFile());
        builder.environment().putAll(environment);
        Process process = builder.start();
        started.add(process);
        return process;
    }

    private static int statusOf(Process process) throws InterruptedException {
        assertThat(process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).as("it ends").isTrue();
        return process.exitValue();
    }

    private Path socket(String name) {
        return directory.resolve(name + ".sock");
    }

    private String log(String name) {
        try {
            return Files.readString(directory.resolve(name + ".log"));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String version(Path socket) {
        try (Cri cri = Cri.connect(socket)) {
            return cri.runtime().version(VersionRequest.getDefaultInstance()).getRuntimeName();
        }
    }

    private static String receive(Socket socket) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(4096);
        return Await.until("a notification", PATIENCE, () -> {
            try {
                var message = socket.recvFromDomainSocket(buffer, 0, buffer.capacity());
                if (message == null) {
                    return "";
                }
                byte[] bytes = new byte[message.receivedAmount()];
                buffer.get(0, bytes);
                return new String(bytes, StandardCharsets.UTF_8);
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        }, text -> !text.isEmpty());
    }
}
