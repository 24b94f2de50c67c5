package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.ListPodSandboxRequest;
import io.berth.cri.v1.PodSandboxState;
import io.berth.cri.v1.RemovePodSandboxRequest;
import io.berth.cri.v1.VersionRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Footprint;
import io.berth.e2e.node.ShimProcess;
import io.berth.e2e.node.Node;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** What thousands of probes leave behind, and what a daemon does that may open no more files. */
@Testcontainers
final class ManyExecsIT {
    private static final int EXECS = Integer.getInteger("e2e.execs", 1000);
    private static final int WARM_UP = 200;
    private static final int CALLERS = 4;
    private static final long HEAP_GROWTH_KIB = 2 << 10;
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @Container
    static final Node NODE = new Node();

    @Test
    void thousandsOfCommandsLeaveNothingBehind() throws Exception {
        try (PodHandle pod = NODE.pod("probed", "crun")) {
            ContainerHandle container = pod.start(idle());
            exec(container, WARM_UP);
            Footprint.of(NODE.server().pid());
            Footprint before = Footprint.of(NODE.server().pid());
            int files = files(container);
            long supervisor = ShimProcess.of(container.id()).process().pid();
            int supervisorFiles = Footprint.descriptors(supervisor);
            exec(container, EXECS);

            Await.until("nothing is held of them, as before: " + before, PATIENCE,
                    () -> Footprint.of(NODE.server().pid()),
                    after -> after.heapKib() < before.heapKib() + HEAP_GROWTH_KIB
                            && after.descriptors() <= before.descriptors()
                            && after.virtualThreads() <= before.virtualThreads()
                            && after.threads() <= before.threads() + 2
                            && after.processes() == before.processes() && after.mounts() == before.mounts());
            assertThat(files(container)).as("files in the container's directories").isEqualTo(files);
            assertThat(Footprint.descriptors(supervisor)).isEqualTo(supervisorFiles);
            assertThat(Footprint.peakKib(supervisor)).isLessThan(4 << 10);
            assertThat(ProcessHandle.of(supervisor).orElseThrow().children()).hasSize(1);
        }
    }

    @Test
    void aDaemonThatMayOpenNoMoreFilesSaysSoAndRecovers() {
        long pid = NODE.server().pid();
        try (PodHandle pod = NODE.pod("before", "runc")) {
            ContainerHandle container = pod.start(idle());
            limitFiles(pid, Footprint.descriptors(pid) + 1);
            try {
                assertThatThrownBy(() -> NODE.pod("starved", "runc"))
                        .isInstanceOf(StatusRuntimeException.class)
                        .hasMessageStartingWith("RESOURCE_EXHAUSTED")
                        .hasMessageContaining("raise the daemon's limit of open files");
                assertThatThrownBy(() -> container.sh("true")).hasMessageStartingWith("RESOURCE_EXHAUSTED")
                        .hasMessageContaining("raise the daemon's limit of open files");
                assertThat(container.status().getId()).as("what is in memory is answered")
                        .isEqualTo(container.id());
            } finally {
                limitFiles(pid, 10_000);
            }
            Await.until("a new client gets through", PATIENCE, ManyExecsIT::answers, answers -> answers);
            assertThat(container.sh("echo back")).isEqualTo("back");
            NODE.pod("fed", "runc").close();
            // What could not be undone then is listed as not ready, for its owner to remove.
            NODE.cri().runtime().listPodSandbox(ListPodSandboxRequest.getDefaultInstance()).getItemsList()
                    .stream()
                    .filter(listed -> !listed.getId().equals(pod.id()))
                    .forEach(listed -> {
                        assertThat(listed.getState()).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
                        NODE.cri().runtime().removePodSandbox(RemovePodSandboxRequest.newBuilder()
                                .setPodSandboxId(listed.getId()).build());
                    });
        }
        assertThat(NODE.leftovers().since()).isEmpty();
    }

    private static void exec(ContainerHandle container, int times) throws Exception {
        try (var threads = Executors.newFixedThreadPool(CALLERS)) {
            List<Callable<String>> calls = new ArrayList<>();
            for (int i = 0; i < times; i++) {
                String word = Integer.toString(i);
                calls.add(() -> container.exec(30, "echo", word).getStdout().toStringUtf8().strip());
            }
            List<Future<String>> answers = threads.invokeAll(calls);
            for (int i = 0; i < times; i++) {
                assertThat(answers.get(i).get()).isEqualTo(Integer.toString(i));
            }
        }
    }

    private static void limitFiles(long pid, int soft) {
        Command.output("prlimit", "--pid", Long.toString(pid), "--nofile=" + soft + ":");
    }

    private static boolean answers() {
        try (Cri cri = Cri.connect(NODE.server().socket())) {
            return cri.runtime(Duration.ofSeconds(2)).version(VersionRequest.getDefaultInstance())
                    .getRuntimeName().equals("berth");
        } catch (StatusRuntimeException e) {
            return false;
        }
    }

    private static int files(ContainerHandle container) {
        int count = 0;
        for (String parent : List.of("root", "state")) {
            Path own = NODE.directory().resolve("d").resolve(parent).resolve("containers")
                    .resolve(container.id());
            try (Stream<Path> files = Files.list(own)) {
                count += (int) files.count();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return count;
    }

    private static ContainerConfig.Builder idle() {
        return Configs.container("main", NODE.busybox(), "sleep", "1000");
    }
}
