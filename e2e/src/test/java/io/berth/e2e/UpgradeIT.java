package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.ListImagesRequest;
import io.berth.cri.v1.ListImagesResponse;
import io.berth.cri.v1.PodSandboxStatus;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.LogLine;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** A daemon starts over what another version of Berth has written, while containers run. */
@Testcontainers
final class UpgradeIT {
    @Container
    static final Node NODE = new Node();

    private static final String HANDLER = "runc";
    private static final int FUTURE = 99;

    /** What an upgrade leads from: takes away what came after the first version. Grows with each new version, at its front. */
    enum Database {
        PODS("berth.db", "PRAGMA user_version", "PRAGMA user_version = %d",
                "ALTER TABLE sandbox DROP COLUMN selinux_level; DROP TABLE node"), IMAGES(
                        "images/images.db", "SELECT version FROM schema_version",
                        "UPDATE schema_version SET version = %d",
                        "ALTER TABLE layers DROP COLUMN record; DROP TABLE retired_layers");

        private final String file;
        private final String version;
        private final String setVersion;
        private final String toFirst;

        Database(String file, String version, String setVersion, String toFirst) {
            this.file = file;
            this.version = version;
            this.setVersion = setVersion;
            this.toFirst = toFirst;
        }

        int version() {
            return Integer.parseInt(sql(version));
        }

        void setVersion(int number) {
            sql(setVersion.formatted(number));
        }

        void makeFirstVersion() {
            sql(toFirst + "; " + setVersion.formatted(1));
        }

        private String sql(String statements) {
            Path path = NODE.directory().resolve("d/root").resolve(file);
            return Command.output("sqlite3", path.toString(), statements);
        }
    }

    @Test
    void aNewerBerthTakesOverWhatTheFirstOneWroteAndContainersRunOn() {
        try (PodHandle pod = NODE.pod("upgraded", HANDLER)) {
            ContainerHandle running = pod.start(counting());
            ContainerHandle created = pod
                    .create(Configs.container("created", NODE.busybox(), "echo", "after all"));
            ContainerHandle ended = pod
                    .start(Configs.container("ended", NODE.busybox(), "sh", "-c", "exit 3"));
            ContainerStatus end = ended.awaitExit();
            ContainerStatus status = running.status();
            PodSandboxStatus podStatus = pod.status();
            ListImagesResponse images = images();
            NODE.server().stop();
            int pods = Database.PODS.version();
            int layers = Database.IMAGES.version();
            Database.PODS.makeFirstVersion();
            Database.IMAGES.makeFirstVersion();
            NODE.server().start();

            assertThat(Database.PODS.version()).isEqualTo(pods);
            assertThat(Database.IMAGES.version()).isEqualTo(layers);
            assertThat(pod.status()).isEqualTo(podStatus);
            assertThat(running.status()).isEqualTo(status);
            assertThat(ended.status()).isEqualTo(end);
            assertThat(images()).isEqualTo(images);
            assertThat(created.start().output()).isEqualTo("after all");
            assertThat(running.sh("echo still here")).isEqualTo("still here");
            assertThatItCounted(running);
        }
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    @ParameterizedTest
    @EnumSource
    void anOlderBerthRefusesWhatANewerOneWroteAndContainersRunOn(Database database) {
        try (PodHandle pod = NODE.pod("downgraded", HANDLER)) {
            ContainerHandle running = pod.start(counting());
            NODE.server().stop();
            int version = database.version();
            database.setVersion(FUTURE);
            int lines = running.log().size();
            try {
                assertThatThrownBy(() -> NODE.server().start())
                        .hasMessageContaining("has schema version " + FUTURE)
                        .hasMessageContaining("this Berth knows").hasMessageContaining("newer Berth");
                running.awaitLog(lines + 5);
            } finally {
                database.setVersion(version);
                NODE.server().start();
            }
            assertThat(running.sh("echo still here")).isEqualTo("still here");
            assertThatItCounted(running);
        }
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    private static void assertThatItCounted(ContainerHandle container) {
        List<LogLine> log = container.awaitLog(container.log().size() + 5);
        assertThat(log).extracting(LogLine::text)
                .isEqualTo(Configs.counted(log.size()));
    }

    private static ListImagesResponse images() {
        return NODE.cri().images().listImages(ListImagesRequest.getDefaultInstance());
    }

    private static ContainerConfig.Builder counting() {
        return Configs.counting("counting", NODE.busybox());
    }
}
