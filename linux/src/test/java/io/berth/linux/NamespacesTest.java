package io.berth.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NamespacesTest {
    @TempDir
    private Path directory;

    @AfterEach
    void unpin() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            for (Path file : files.toList()) {
                Mounts.unmountAll(file);
            }
        }
    }

    @Test
    void pinnedNamespacesOutliveTheThreadThatMadeThem() throws IOException {
        Path net = pin("net");
        Path uts = pin("uts");

        Namespaces.pin(Map.of(NamespaceType.NETWORK, net, NamespaceType.UTS, uts),
                () -> Namespaces.setHostname("web-0"));

        assertThat(Mounts.isMountPoint(net)).isTrue();
        assertThat(Namespaces.inode(net)).isNotEqualTo(Namespaces.inode(Path.of("/proc/self/ns/net")));
        assertThat(Namespaces.callIn(Map.of(NamespaceType.UTS, uts), NamespacesTest::hostname))
                .isEqualTo("web-0");
        assertThat(hostname()).isNotEqualTo("web-0");
    }

    @Test
    void bringsUpTheLoopbackOfANewNetworkNamespace() throws IOException {
        Path net = pin("net");

        Namespaces.pin(Map.of(NamespaceType.NETWORK, net), () -> NetworkInterfaces.up("lo"));

        assertThat(Namespaces.callIn(Map.of(NamespaceType.NETWORK, net), NetworkInterfaces::statistics))
                .extracting(NetworkInterfaces.Statistics::name).containsExactly("lo");
        // ::1 is assigned only when lo comes up.
        assertThat(Namespaces.callIn(Map.of(NamespaceType.NETWORK, net),
                () -> Files.readString(Path.of("/proc/thread-self/net/if_inet6"))))
                .contains("00000000000000000000000000000001");
    }

    @Test
    void noThreadOfTheJvmIsLeftInAnotherNamespace() throws Exception {
        Set<Long> before = networkNamespacesOfAllThreads();
        List<Callable<Integer>> pods = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            Path net = pin("net" + i);
            pods.add(() -> {
                Namespaces.pin(Map.of(NamespaceType.NETWORK, net), () -> NetworkInterfaces.up("lo"));
                return Namespaces.callIn(Map.of(NamespaceType.NETWORK, net), () -> 1);
            });
        }
        try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
            for (Future<Integer> pod : executor.invokeAll(pods)) {
                assertThat(pod.get()).isEqualTo(1);
            }
        }

        assertThat(networkNamespacesOfAllThreads()).isEqualTo(before).hasSize(1);
    }

    @Test
    void whatTheBodyThrowsReachesTheCallerAndNothingStaysPinned() throws IOException {
        Path net = pin("net");

        assertThatThrownBy(() -> Namespaces.pin(Map.of(NamespaceType.NETWORK, net),
                () -> NetworkInterfaces.up("nosuch0")))
                .isInstanceOf(LinuxException.class).hasMessage("ioctl SIOCGIFFLAGS nosuch0: ENODEV");

        assertThat(Mounts.isMountPoint(net)).isFalse();
    }

    @Test
    void refusesWhatIsNoNamespaceFile() throws IOException {
        Path file = pin("plain");

        assertThatThrownBy(() -> Namespaces.callIn(Map.of(NamespaceType.NETWORK, file), () -> 1))
                .isInstanceOfSatisfying(LinuxException.class, e -> {
                    assertThat(e.call()).isEqualTo("setns");
                    assertThat(e.errno()).isEqualTo(Errno.EINVAL);
                });
    }

    @Test
    void refusesKindsThatAThreadCannotMake() throws IOException {
        Path file = pin("user");

        assertThatThrownBy(() -> Namespaces.pin(Map.of(NamespaceType.USER, file), () -> {}))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("user");
    }

    private Path pin(String name) throws IOException {
        return Files.createFile(directory.resolve(name));
    }

    private static String hostname() throws IOException {
        return Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
    }

    private static Set<Long> networkNamespacesOfAllThreads() throws IOException {
        Set<Long> inodes = new HashSet<>();
        try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
            for (Path task : tasks.toList()) {
                try {
                    inodes.add(Namespaces.inode(task.resolve("ns/net")));
                } catch (IOException e) {
                    // The thread has ended since the listing.
                    assertThat(task).doesNotExist();
                }
            }
        }
        return inodes;
    }
}
