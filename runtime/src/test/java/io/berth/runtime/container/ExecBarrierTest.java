package io.berth.runtime.container;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class ExecBarrierTest {
    @Test
    void opensWhenTheProcessBecomesAnotherProgram() throws Exception {
        Process process = new ProcessBuilder("/bin/sh", "-c", "read go; exec sleep 30").start();
        try (OutputStream stdin = process.getOutputStream()) {
            ExecBarrier barrier = new ExecBarrier(process.pid());
            CompletableFuture<Boolean> open = new CompletableFuture<>();
            Thread.startVirtualThread(() -> {
                try {
                    barrier.await();
                    open.complete(true);
                } catch (InterruptedException e) {
                    open.completeExceptionally(e);
                }
            });
            stdin.write('\n');
            stdin.flush();
            assertThat(open.join()).isTrue();
            assertThat(process.info().command())
                    .hasValueSatisfying(command -> assertThat(command).contains("sleep"));
        } finally {
            process.destroyForcibly();
        }
    }

    @Test
    void isOpenForAProcessThatIsGone() throws IOException, InterruptedException {
        Process process = new ProcessBuilder("/bin/true").start();
        process.waitFor();
        long began = System.nanoTime();
        new ExecBarrier(process.pid()).await();
        assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(1));
    }
}
