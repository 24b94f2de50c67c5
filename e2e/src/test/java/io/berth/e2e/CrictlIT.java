package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.e2e.cri.Await;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** The verbs of crictl, as an operator types them. Only where crictl is installed. */
@Testcontainers
@EnabledIf(value = "isInstalled", disabledReason = "crictl is not on PATH")
final class CrictlIT {
    @Container
    static final Node NODE = new Node();

    static boolean isInstalled() {
        return Stream.of(System.getenv("PATH").split(":"))
                .anyMatch(directory -> Files.isExecutable(Path.of(directory, "crictl")));
    }

    @Test
    void theVerbsOfAPodsLifeWork() throws IOException {
        Path pod = write("pod.json", """
            {"metadata": {"name": "typed", "namespace": "default", "uid": "typed-1"},
             "log_directory": "%s", "linux": {}}"""
                .formatted(Files.createDirectories(NODE.logs().resolve("typed"))));
        Path container = write("container.json", """
            {"metadata": {"name": "main"}, "image": {"image": "%s"}, "log_path": "main.log", "linux": {},
             "command": ["sh", "-c", "echo in the log; sleep 1000"]}""".formatted(NODE.busybox()));

        assertThat(crictl("version")).contains("RuntimeName:  berth").contains("RuntimeApiVersion:  v1");
        assertThat(crictl("info")).contains("RuntimeReady").contains("NetworkReady");
        assertThat(crictl("pull", NODE.busybox())).contains("up to date");
        assertThat(crictl("images")).contains("e2e/busybox");
        assertThat(crictl("inspecti", NODE.busybox())).contains("sha256:").contains("repoTags");
        String podId = crictl("runp", pod.toString());
        assertThat(crictl("pods")).contains("typed").contains("Ready");
        assertThat(crictl("inspectp", podId)).contains("10.88.").contains("SANDBOX_READY");
        String id = crictl("create", podId, container.toString(), pod.toString());
        assertThat(crictl("ps", "-a")).contains("Created");
        assertThat(crictl("start", id)).isEqualTo(id);
        assertThat(crictl("ps")).contains("Running").contains("main");
        assertThat(crictl("inspect", id)).contains("CONTAINER_RUNNING").contains("\"pid\"");
        Await.until("the line is logged", Duration.ofSeconds(10), () -> crictl("logs", id),
                "in the log"::equals);
        assertThat(crictl("exec", "-s", id, "echo", "run in it")).isEqualTo("run in it");
        assertThat(crictl("stats")).contains(id.substring(0, 13));
        assertThat(crictl("stop", "-t", "0", id)).isEqualTo(id);
        assertThat(crictl("ps", "-a")).contains("Exited");
        assertThat(crictl("rm", id)).isEqualTo(id);
        assertThat(crictl("stopp", podId)).contains(podId);
        assertThat(crictl("rmp", podId)).contains(podId);
        assertThat(crictl("pods", "-q")).doesNotContain(podId);
        assertThat(crictl("rmi", NODE.busybox())).contains("Deleted: " + NODE.busybox());
        crictl("pull", NODE.busybox());
    }

    private static String crictl(String... arguments) {
        String endpoint = "unix://" + NODE.server().socket();
        var command = new ArrayList<>(
                List.of("crictl", "--config", write("crictl.yaml", "timeout: 60\n").toString(),
                        "--runtime-endpoint", endpoint, "--image-endpoint", endpoint));
        command.addAll(List.of(arguments));
        return Command.output(command.toArray(String[]::new));
    }

    private static Path write(String name, String text) {
        try {
            return Files.writeString(NODE.directory().resolve(name), text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
