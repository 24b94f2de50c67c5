package io.berth.e2e.bench;

import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.PodHandle;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/**
 * Memory of the daemon and of its supervisors while 20 pods of one container sleep: proportional set size (PSS), in which
 * a page that n processes share counts for each as its nth part.
 *
 * @param image has a {@code sleep}
 */
record MemoryBenchmark(String image) implements Benchmark {
    private static final int PODS = 20;
    private static final double KIB_PER_MB = 1e6 / 1024;
    private static final Predicate<String> SUPERVISOR = Pattern
            .compile("/(berth-shim|conmon|containerd-shim[^/]*)$")
            .asPredicate();

    @Override
    public String name() {
        return "memory";
    }

    @Override
    public int defaultRuns() {
        return 1;
    }

    @Override
    public int warmUps() {
        return 0;
    }

    @Override
    public Map<String, Double> measure(Target target) {
        List<Long> others = supervisors();
        var pods = new ArrayList<PodHandle>();
        try {
            for (int i = 0; i < PODS; i++) {
                PodHandle pod = PodHandle.run(target.cri(), Configs.pod("bench-memory", target.logs()),
                        target.handler());
                pods.add(pod);
                pod.start(Configs.container("main", image, "sleep", "100000"));
            }
            List<Long> own = new ArrayList<>(supervisors());
            own.removeAll(others);
            var result = new LinkedHashMap<String, Double>();
            result.put("supervisors", (double) own.size());
            result.put("supervisor_pss_mb_per_container",
                    own.stream().mapToLong(MemoryBenchmark::pssKib).sum() / KIB_PER_MB / PODS);
            result.put("daemon_pss_mb", pssKib(target.pid()) / KIB_PER_MB);
            return result;
        } finally {
            pods.forEach(PodHandle::close);
        }
    }

    private static List<Long> supervisors() {
        return ProcessHandle.allProcesses()
                .filter(process -> process.info().command().filter(SUPERVISOR).isPresent())
                .map(ProcessHandle::pid)
                .toList();
    }

    private static long pssKib(long pid) {
        try {
            return Files.readAllLines(Path.of("/proc/" + pid + "/smaps_rollup")).stream()
                    .filter(line -> line.startsWith("Pss:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                    .findFirst().orElseThrow();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
