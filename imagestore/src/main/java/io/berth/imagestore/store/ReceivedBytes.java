package io.berth.imagestore.store;

import io.berth.imagestore.registry.Descriptor;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How much of a layer's blob has come: for whoever asks, in the log where it takes long, and for the metrics, which have a gauge
 * for each layer as long as it is on its way.
 */
final class ReceivedBytes implements AutoCloseable {
    /** How often the log says how far a layer is. */
    static final Duration INTERVAL = Duration.ofSeconds(10);

    private static final Logger log = LoggerFactory.getLogger(ReceivedBytes.class);

    private final Descriptor blob;
    private final MeterRegistry meters;
    private final Counter counter;
    private final LongSupplier nanoTime;
    private final AtomicLong bytes = new AtomicLong();
    /** When the log said something last; read and written by the thread that reads the blob. */
    private long told;
    private volatile @Nullable Gauge gauge;

    /** @param nanoTime a clock, as {@link System#nanoTime} */
    ReceivedBytes(Descriptor blob, MeterRegistry meters, LongSupplier nanoTime) {
        this.blob = blob;
        this.meters = meters;
        this.counter = Counter.builder("berth.image.layer.received").baseUnit("bytes").register(meters);
        this.nanoTime = nanoTime;
    }

    /** {@code stream}, whose bytes count from now on until {@link #close}. */
    InputStream counting(InputStream stream) {
        told = nanoTime.getAsLong();
        gauge = Gauge
                .builder("berth.image.layer.progress", bytes,
                        all -> (double) all.get() / Math.max(1, blob.size()))
                .description("What has come of a layer that is fetched now; 1 is all of it.")
                .tag("layer", blob.digest()).register(meters);
        return new FilterInputStream(stream) {
            @Override
            public int read() throws IOException {
                int b = super.read();
                add(b < 0 ? 0 : 1);
                return b;
            }

            @Override
            public int read(byte[] buffer, int offset, int length) throws IOException {
                int count = super.read(buffer, offset, length);
                add(Math.max(count, 0));
                return count;
            }
        };
    }

    long bytes() {
        return bytes.get();
    }

    @Override
    public void close() {
        Gauge registered = gauge;
        if (registered != null) {
            meters.remove(registered);
        }
    }

    private void add(int count) {
        long all = bytes.addAndGet(count);
        counter.increment(count);
        long now = nanoTime.getAsLong();
        if (now - told >= INTERVAL.toNanos()) {
            told = now;
            log.atInfo().addKeyValue("layer", blob.digest()).addKeyValue("received", all)
                    .addKeyValue("bytes", blob.size()).log("layer on its way");
        }
    }
}
