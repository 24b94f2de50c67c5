package io.berth.runtime.stats;

import io.berth.cri.v1.Metric;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/** The metrics of one pod or container while they are put together. A value that is not known gives no metric. */
final class MetricSamples {
    private static final long SECOND = Duration.ofSeconds(1).toNanos();
    private static final long SECOND_MICROS = SECOND / 1000;

    private final List<String> labels;
    private final long atNanos;
    private final List<Metric> metrics = new ArrayList<>();

    /** @param labels values of the labels that every family has */
    MetricSamples(List<String> labels, long atNanos) {
        this.labels = List.copyOf(labels);
        this.atNanos = atNanos;
    }

    /** @param more values of the labels that the family has beside those of all */
    void add(MetricFamily family, long value, String... more) {
        Metric.Builder metric = Metric.newBuilder().setName(family.metric()).setTimestamp(atNanos)
                .setMetricType(family.type()).addAllLabelValues(labels).setValue(UsageMessages.value(value));
        for (String label : more) {
            metric.addLabelValues(label);
        }
        if (metric.getLabelValuesCount() != family.descriptor().getLabelKeysCount()) {
            throw new IllegalArgumentException(family.metric() + " has the labels "
                    + family.descriptor().getLabelKeysList() + ", not values " + metric.getLabelValuesList());
        }
        metrics.add(metric.build());
    }

    void add(MetricFamily family, OptionalLong value, String... more) {
        value.ifPresent(known -> add(family, known, more));
    }

    void nanosAsSeconds(MetricFamily family, OptionalLong nanos, String... more) {
        nanos.ifPresent(known -> add(family, known / SECOND, more));
    }

    void microsAsSeconds(MetricFamily family, long micros) {
        add(family, micros / SECOND_MICROS);
    }

    List<Metric> metrics() {
        return List.copyOf(metrics);
    }
}
