package io.berth.shim.process;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.shim.process.ShimProcess.Client;
import io.berth.shim.wire.Wire;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The promise of the README: what a supervisor costs while its container idles and the daemon watches. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
final class IdleMemoryTest {
    private static final int COUNT = 20;
    private static final long MAX_KILOBYTES = 400;

    @TempDir
    private Path temporary;

    @Test
    void twentyIdleSupervisorsCostLessThanFourHundredKilobytesEach() throws Exception {
        List<ShimProcess> shims = new ArrayList<>();
        List<Client> watches = new ArrayList<>();
        try {
            for (int i = 0; i < COUNT; i++) {
                ShimProcess shim = new ShimProcess(temporary, "exec sleep 1000");
                shims.add(shim);
                Client watch = shim.created();
                watches.add(watch);
                watch.call(Wire.START);
                watch.call(Wire.WATCH);
            }
            long kilobytes = 0;
            for (ShimProcess shim : shims) {
                kilobytes += pss(shim.handle().pid());
            }
            assertThat(kilobytes / COUNT).isPositive().isLessThanOrEqualTo(MAX_KILOBYTES);
        } finally {
            for (Client watch : watches) {
                watch.close();
            }
            for (ShimProcess shim : shims) {
                shim.close();
            }
        }
    }

    private static long pss(long pid) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/smaps_rollup"))) {
            if (line.startsWith("Pss:")) {
                return Long.parseLong(line.replaceAll("[^0-9]", ""));
            }
        }
        throw new IOException("no Pss in smaps_rollup");
    }
}
