package io.berth.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class PidFdTest {
    private Process process;

    @BeforeEach
    void start() throws Exception {
        process = new ProcessBuilder("sleep", "1000").start();
    }

    @AfterEach
    void end() throws Exception {
        process.destroyForcibly().waitFor();
    }

    @Test
    void signalsAndSeesTheEndOfAProcess() throws Exception {
        try (PidFd pidFd = PidFd.open(process.pid())) {
            assertThat(pidFd.exited()).isFalse();
            assertThat(pidFd.awaitExit(Duration.ofMillis(1))).isFalse();

            assertThat(pidFd.signal(9)).isTrue();

            assertThat(pidFd.awaitExit(Duration.ofSeconds(10))).isTrue();
            assertThat(pidFd.exited()).isTrue();
            process.waitFor();
            assertThat(pidFd.signal(9)).isFalse();
        }
    }

    @Test
    void tellsTheEndToAWaiterWhoHasClosedItsHandle() throws Exception {
        CompletableFuture<Void> exit;
        try (PidFd pidFd = PidFd.open(process.pid())) {
            exit = pidFd.onExit();
        }
        assertThat(exit).isNotDone();

        process.destroyForcibly();

        exit.get(10, TimeUnit.SECONDS);
    }

    @Test
    void manyVirtualThreadsWaitAtOnce() throws Exception {
        try (PidFd pidFd = PidFd.open(process.pid())) {
            Thread[] waiters = new Thread[50];
            for (int i = 0; i < waiters.length; i++) {
                waiters[i] = Thread.ofVirtual().start(() -> {
                    try {
                        pidFd.awaitExit(Duration.ofSeconds(10));
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                });
            }
            // With carriers held, this one would not get to run before the others end.
            assertThat(CompletableFuture.supplyAsync(() -> true, Thread::startVirtualThread).get(5,
                    TimeUnit.SECONDS)).isTrue();
            pidFd.signal(9);
            for (Thread waiter : waiters) {
                assertThat(waiter.join(Duration.ofSeconds(10))).isTrue();
            }
        }
    }

    @Test
    void aProcessThatIsGoneHasNoHandleAndNoIdentity() throws Exception {
        ProcessIdentity identity = ProcessIdentity.of(process.pid()).orElseThrow();
        assertThat(identity.present()).isTrue();
        assertThat(new ProcessIdentity(identity.pid(), identity.startTicks() - 1).present()).isFalse();

        process.destroyForcibly().waitFor();

        assertThat(identity.present()).isFalse();
        assertThatThrownBy(() -> PidFd.open(process.pid())).hasMessageContaining("ESRCH");
    }

    @Test
    void aCommandNameWithBracketsAndSpacesDoesNotShiftTheFields() {
        String tail = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 98765 20";

        assertThat(ProcessIdentity.startTicks("42 (a) b) R (c)" + tail)).isEqualTo(98765);
        assertThatThrownBy(() -> ProcessIdentity.startTicks("42 nothing"))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
