package io.berth.imagestore.store;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.berth.imagestore.registry.Descriptor;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

class ReceivedBytesTest {
    private static final Descriptor BLOB = new Descriptor("", "sha256:" + "a".repeat(64), 1000, List.of(),
            Map.of());

    private final Logger logger = (Logger) LoggerFactory.getLogger(ReceivedBytes.class);
    private final ListAppender<ILoggingEvent> log = new ListAppender<>();
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private final AtomicLong nanos = new AtomicLong();

    @BeforeEach
    void listen() {
        log.start();
        logger.setLevel(Level.INFO);
        logger.addAppender(log);
    }

    @AfterEach
    void stopListening() {
        logger.detachAppender(log);
        logger.setLevel(null);
    }

    @Test
    void theMetricsFollowALayerWhileItComes() throws Exception {
        try (ReceivedBytes received = new ReceivedBytes(BLOB, meters, nanos::get);
                InputStream stream = received.counting(new ByteArrayInputStream(new byte[1000]))) {
            assertThat(stream.readNBytes(250)).hasSize(250);

            assertThat(received.bytes()).isEqualTo(250);
            assertThat(meters.get("berth.image.layer.progress").tag("layer", BLOB.digest()).gauge().value())
                    .isEqualTo(0.25);
            assertThat(meters.get("berth.image.layer.received").counter().count()).isEqualTo(250);
        }
        assertThat(meters.find("berth.image.layer.progress").gauge()).as("of a layer that has ended")
                .isNull();
        assertThat(meters.get("berth.image.layer.received").counter().count()).isEqualTo(250);
    }

    @Test
    void theLogSaysHowFarALayerIsThatTakesLong() throws Exception {
        try (ReceivedBytes received = new ReceivedBytes(BLOB, meters, nanos::get);
                InputStream stream = received.counting(new ByteArrayInputStream(new byte[1000]))) {
            assertThat(stream.readNBytes(100)).hasSize(100);
            assertThat(log.list).isEmpty();
            nanos.addAndGet(ReceivedBytes.INTERVAL.toNanos());
            assertThat(stream.readNBytes(100)).hasSize(100);
            assertThat(stream.readNBytes(100)).hasSize(100);
        }

        assertThat(log.list).singleElement().satisfies(event -> {
            assertThat(event.getFormattedMessage()).isEqualTo("layer on its way");
            assertThat(event.getKeyValuePairs().toString()).contains(BLOB.digest())
                    .contains("received=\"200\"")
                    .contains("bytes=\"1000\"");
        });
    }
}
