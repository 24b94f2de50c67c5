package io.berth.shim.log;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.format.DateTimeFormatterBuilder;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class TimestampTest {
    private static final long NANOS_PER_SECOND = 1_000_000_000L;

    @Test
    void agreesWithTheJdkOnEveryDayUntilTheClockOverflows() {
        var format = new DateTimeFormatterBuilder().appendInstant(9).toFormatter();
        Random random = new Random(1);
        Timestamp timestamp = new Timestamp();
        for (long day = 0; day < 106_751; day++) {
            long nanos = day * 86_400 * NANOS_PER_SECOND + random.nextLong(86_400 * NANOS_PER_SECOND);
            timestamp.set(nanos);
            assertThat(text(timestamp)).isEqualTo(format.format(Instant.ofEpochSecond(0, nanos)));
        }
    }

    @Test
    void neverGoesBack() {
        Timestamp timestamp = new Timestamp();
        timestamp.set(1_700_000_000L * NANOS_PER_SECOND + 5);
        String before = text(timestamp);
        timestamp.set(1_700_000_000L * NANOS_PER_SECOND + 4);
        assertThat(text(timestamp)).isEqualTo(before);
        timestamp.set(-1);
        assertThat(text(timestamp)).isEqualTo(before);
    }

    private static String text(Timestamp timestamp) {
        return new String(timestamp.text(), StandardCharsets.US_ASCII);
    }
}
