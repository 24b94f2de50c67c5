package io.berth.e2e.bench;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.cri.v1.VersionResponse;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Runs a benchmark and prints the medians. */
final class Report {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final double THOUSAND = 1000.0;

    private Report() {}

    /**
     * Measures {@code targets} in turns, so that what else the machine does meets each of them, and prints a line for
     * each, and for two a third one with the first one's figures divided by the other's.
     */
    static void print(Benchmark benchmark, List<Target> targets, int wantedRuns)
            throws JsonProcessingException {
        int runs = wantedRuns > 0 ? wantedRuns : benchmark.defaultRuns();
        var samples = new LinkedHashMap<Target, List<Map<String, Double>>>();
        for (int i = -benchmark.warmUps(); i < runs; i++) {
            for (Target target : targets) {
                Map<String, Double> sample = benchmark.measure(target);
                if (i >= 0) {
                    samples.computeIfAbsent(target, key -> new ArrayList<>()).add(sample);
                }
            }
        }
        targets.forEach(benchmark::finish);
        List<Map<String, Double>> medians = targets.stream()
                .map(target -> medians(samples.getOrDefault(target, List.of())))
                .toList();
        for (int i = 0; i < targets.size(); i++) {
            VersionResponse version = targets.get(i).version();
            ObjectNode line = JSON.createObjectNode().put("benchmark", benchmark.name())
                    .put("runtime", version.getRuntimeName()).put("version", version.getRuntimeVersion())
                    .put("runs", runs);
            medians.get(i).forEach((key, value) -> line.put(key, rounded(value)));
            System.out.println(JSON.writeValueAsString(line));
        }
        if (targets.size() == 2) {
            ObjectNode line = JSON.createObjectNode().put("benchmark", benchmark.name()).put("ratio",
                    targets.get(0).version().getRuntimeName() + "/"
                            + targets.get(1).version().getRuntimeName());
            Map<String, Double> other = medians.get(1);
            medians.get(0).forEach((key, value) -> {
                double others = other.getOrDefault(key, 0.0);
                if (others != 0) {
                    line.put(key, rounded(value / others));
                }
            });
            System.out.println(JSON.writeValueAsString(line));
        }
    }

    private static Map<String, Double> medians(List<Map<String, Double>> samples) {
        var medians = new LinkedHashMap<String, Double>();
        for (String key : samples.getFirst().keySet()) {
            List<Double> sorted = samples.stream().map(sample -> sample.getOrDefault(key, Double.NaN))
                    .sorted().toList();
            int middle = sorted.size() / 2;
            medians.put(key,
                    sorted.size() % 2 == 1
                            ? sorted.get(middle)
                            : (sorted.get(middle - 1) + sorted.get(middle)) / 2);
        }
        return medians;
    }

    private static double rounded(double value) {
        return Math.round(value * THOUSAND) / THOUSAND;
    }
}
