package io.berth.e2e.bench;

import io.berth.cri.v1.ContainerEventResponse;
import io.berth.cri.v1.ContainerEventType;
import io.berth.cri.v1.GetEventsRequest;
import io.berth.cri.v1.ListContainerStatsRequest;
import io.berth.cri.v1.ListContainersRequest;
import io.berth.cri.v1.ListPodSandboxRequest;
import io.berth.cri.v1.ListPodSandboxStatsRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Footprint;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A full node's day in minutes: pods of two containers, all asked for at once, a probe of each container every second, lists
 * every second and stats every ten as kubelet asks for them, events on, then all are removed at once.
 */
public final class Load {
    private static final Duration PROBE_INTERVAL = Duration.ofSeconds(1);
    private static final Duration LIST_INTERVAL = Duration.ofSeconds(1);
    private static final Duration STATS_INTERVAL = Duration.ofSeconds(10);
    private static final long PROBE_TIMEOUT_SECONDS = 60;
    private static final Duration EVENTS_PATIENCE = Duration.ofSeconds(20);
    private static final Duration SUBSCRIPTION_INTERVAL = Duration.ofMillis(500);
    private static final Duration SETTLING_TIME = Duration.ofSeconds(20);
    private static final double KIB_PER_MB = 1e6 / 1024;
    private static final int CONTAINERS_OF_A_POD = 2;
    /** Moments at which the daemon is looked at, as shares of the duration. */
    private static final List<Double> LOOKS = List.of(0.1, 0.5, 1.0);

    private final Cri cri;
    private final long pid;
    private final String handler;
    private final String image;
    private final Path logs;
    private final Latencies probes = new Latencies();
    private final Latencies lists = new Latencies();
    private final Latencies stats = new Latencies();
    private final Latencies starts = new Latencies();
    private final ConcurrentLinkedQueue<String> failures = new ConcurrentLinkedQueue<>();
    private final AtomicBoolean goesOn = new AtomicBoolean(true);
    /** An older containerd has no GetContainerEvents. */
    private final AtomicBoolean hasEvents = new AtomicBoolean(true);
    private final Map<ContainerEventType, Integer> events = new EnumMap<>(ContainerEventType.class);
    private final Set<String> deleted = new HashSet<>();
    private final Map<String, Double> figures = new LinkedHashMap<>();

    /** @param pid of the daemon */
    public Load(Cri cri, long pid, String handler, String image, Path logs) {
        this.cri = cri;
        this.pid = pid;
        this.handler = handler;
        this.image = image;
        this.logs = logs;
    }

    /** What calls said that failed; none of them should. */
    public List<String> failures() {
        return List.copyOf(failures);
    }

    /** Runs it. The figures' names end in their unit. */
    public Map<String, Double> run(int pods, Duration duration) {
        // Classes load and pools fill with the first pods.
        start(CONTAINERS_OF_A_POD).forEach(Pod::remove);
        Footprint.of(pid);
        Footprint before = Footprint.of(pid);
        Context.CancellableContext subscription = Context.current().withCancellation();
        Thread subscriber = Thread.ofVirtual().start(() -> subscription.run(this::countEvents));
        try {
            awaitSubscription();
            List<Pod> running = startTimed(pods);
            serve(running, duration);
            removeTimed(running);
            awaitEvents(pods);
        } finally {
            goesOn.set(false);
            subscription.cancel(null);
            join(subscriber);
        }
        Footprint after = settled(before);
        look("before", before);
        look("after", after);
        figures.put("failed_calls", (double) failures.size());
        failures.stream().distinct().limit(5).forEach(System.err::println);
        return figures;
    }

    /** As it stays. The daemon sees within a second, on a busy machine later, that calls of before are over. */
    private Footprint settled(Footprint before) {
        long end = System.nanoTime() + SETTLING_TIME.toNanos();
        while (true) {
            sleepUntil(System.nanoTime() + LIST_INTERVAL.toNanos());
            Footprint now = Footprint.of(pid);
            boolean isSettled = now.virtualThreads() <= before.virtualThreads()
                    && now.descriptors() <= before.descriptors();
            if (isSettled || System.nanoTime() > end) {
                return now;
            }
        }
    }

    private record Pod(PodHandle pod, List<ContainerHandle> containers) {
        void remove() {
            pod.close();
        }
    }

    private List<Pod> startTimed(int pods) {
        long cpu = Footprint.cpuMillis(pid);
        long began = System.nanoTime();
        List<Pod> running = start(pods);
        double seconds = seconds(began);
        figures.put("pods", (double) running.size());
        figures.put("start_seconds", seconds);
        figures.put("starts_per_second", running.size() / seconds);
        figures.put("start_daemon_cpu_seconds", (Footprint.cpuMillis(pid) - cpu) / 1000.0);
        figures.put("start_p50_ms", starts.medianMillis());
        figures.put("start_p99_ms", starts.ninetyNinthMillis());
        return running;
    }

    private List<Pod> start(int pods) {
        List<Callable<Pod>> calls = new ArrayList<>();
        for (int i = 0; i < pods; i++) {
            String name = "load-" + i;
            calls.add(() -> {
                long began = System.nanoTime();
                PodHandle pod = PodHandle.run(cri, Configs.pod(name, logs), handler);
                var containers = new ArrayList<ContainerHandle>();
                for (int c = 0; c < CONTAINERS_OF_A_POD; c++) {
                    containers.add(pod.start(Configs.container("c" + c, image, "sleep", "1000000")));
                }
                starts.add(System.nanoTime() - began);
                return new Pod(pod, containers);
            });
        }
        return together(calls);
    }

    private void serve(List<Pod> pods, Duration duration) {
        goesOn.set(true);
        var threads = new ArrayList<Thread>();
        long cpu = Footprint.cpuMillis(pid);
        long began = System.nanoTime();
        for (Pod pod : pods) {
            for (ContainerHandle container : pod.containers()) {
                threads.add(every(PROBE_INTERVAL, probes, () -> {
                    int code = container.exec(PROBE_TIMEOUT_SECONDS, "true").getExitCode();
                    if (code != 0) {
                        throw new IllegalStateException("a probe exited with " + code);
                    }
                }));
            }
        }
        threads.add(every(LIST_INTERVAL, lists, () -> {
            expect(pods.size(), cri.runtime().listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                    .getItemsCount());
            expect(pods.size() * CONTAINERS_OF_A_POD, cri.runtime()
                    .listContainers(ListContainersRequest.getDefaultInstance()).getContainersCount());
        }));
        threads.add(every(STATS_INTERVAL, stats, () -> {
            expect(pods.size(),
                    cri.runtime().listPodSandboxStats(ListPodSandboxStatsRequest.getDefaultInstance())
                            .getStatsCount());
            expect(pods.size() * CONTAINERS_OF_A_POD, cri.runtime()
                    .listContainerStats(ListContainerStatsRequest.getDefaultInstance()).getStatsCount());
        }));
        for (double share : LOOKS) {
            sleepUntil(began + (long) (share * duration.toNanos()));
            look("at_%.0f_percent".formatted(share * 100), Footprint.of(pid));
        }
        goesOn.set(false);
        threads.forEach(Load::join);
        double seconds = seconds(began);
        figures.put("serve_seconds", seconds);
        figures.put("probes", (double) probes.count());
        figures.put("probes_per_second", probes.count() / seconds);
        put("probe", probes);
        put("list", lists);
        put("stats", stats);
        figures.put("serve_daemon_cpu_seconds", (Footprint.cpuMillis(pid) - cpu) / 1000.0);
    }

    private void removeTimed(List<Pod> pods) {
        long cpu = Footprint.cpuMillis(pid);
        long began = System.nanoTime();
        together(pods.stream().<Callable<Boolean>>map(pod -> () -> {
            pod.remove();
            return true;
        }).toList());
        figures.put("remove_seconds", seconds(began));
        figures.put("remove_daemon_cpu_seconds", (Footprint.cpuMillis(pid) - cpu) / 1000.0);
    }

    /** Calls again and again; a call that took longer than the interval is followed by the next at once. */
    private Thread every(Duration interval, Latencies latencies, Runnable call) {
        return Thread.startVirtualThread(() -> {
            long due = System.nanoTime() + (long) (Math.random() * interval.toNanos());
            sleepUntil(due);
            while (goesOn.get()) {
                long began = System.nanoTime();
                try {
                    call.run();
                } catch (RuntimeException e) {
                    failures.add(String.valueOf(e.getMessage()));
                }
                latencies.add(System.nanoTime() - began);
                due = Math.max(due + interval.toNanos(), System.nanoTime());
                sleepUntil(due);
            }
        });
    }

    private <T> List<T> together(List<Callable<T>> calls) {
        var results = new ArrayList<T>();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (Future<T> future : threads.invokeAll(calls)) {
                try {
                    results.add(future.get());
                } catch (ExecutionException e) {
                    failures.add(String.valueOf(e.getCause()));
                }
            }
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
        return results;
    }

    private void countEvents() {
        try {
            cri.runtime(Duration.ofDays(1)).getContainerEvents(GetEventsRequest.getDefaultInstance())
                    .forEachRemaining(this::count);
        } catch (StatusRuntimeException e) {
            if (e.getStatus().getCode() == Status.Code.UNIMPLEMENTED) {
                hasEvents.set(false);
            } else if (goesOn.get()) {
                failures.add("events: " + e.getMessage());
            }
        }
    }

    private void count(ContainerEventResponse event) {
        synchronized (events) {
            events.merge(event.getContainerEventType(), 1, Integer::sum);
            if (event.getContainerEventType() == ContainerEventType.CONTAINER_DELETED_EVENT) {
                deleted.add(event.getContainerId());
            }
        }
    }

    /** Not every peer says when it has subscribed: all events come from the pod on whose last one has come. */
    private void awaitSubscription() {
        long end = System.nanoTime() + EVENTS_PATIENCE.toNanos();
        while (hasEvents.get()) {
            PodHandle pod = PodHandle.run(cri, Configs.pod("subscribed", logs), handler);
            pod.close();
            sleepUntil(System.nanoTime() + SUBSCRIPTION_INTERVAL.toNanos());
            synchronized (events) {
                if (deleted.contains(pod.id())) {
                    events.clear();
                    return;
                }
            }
            if (System.nanoTime() > end) {
                throw new IllegalStateException("no events within " + EVENTS_PATIENCE);
            }
        }
    }

    /** Each pod and each container is created, started, stopped and deleted once. */
    private void awaitEvents(int pods) {
        if (!hasEvents.get()) {
            return;
        }
        int each = pods * (1 + CONTAINERS_OF_A_POD);
        try {
            Await.until(each + " events of each kind", EVENTS_PATIENCE, () -> {
                synchronized (events) {
                    return Map.copyOf(events);
                }
            }, seen -> seen.size() == 4 && seen.values().stream().allMatch(n -> n == each));
        } catch (AssertionError e) {
            failures.add("events: " + e.getMessage());
        }
    }

    private void put(String call, Latencies latencies) {
        figures.put(call + "_p50_ms", latencies.medianMillis());
        figures.put(call + "_p99_ms", latencies.ninetyNinthMillis());
    }

    private void look(String moment, Footprint footprint) {
        if (Footprint.isJvm(pid)) {
            figures.put("heap_" + moment + "_mb", footprint.heapKib() / KIB_PER_MB);
            figures.put("virtual_threads_" + moment, (double) footprint.virtualThreads());
        }
        figures.put("pss_" + moment + "_mb", footprint.pssKib() / KIB_PER_MB);
        figures.put("fds_" + moment, (double) footprint.descriptors());
        figures.put("threads_" + moment, (double) footprint.threads());
        figures.put("mounts_" + moment, (double) footprint.mounts());
    }

    private static void expect(int wanted, int got) {
        if (wanted != got) {
            throw new IllegalStateException("a list has " + got + " entries, not " + wanted);
        }
    }

    private static double seconds(long began) {
        return Duration.ofNanos(System.nanoTime() - began).toMillis() / 1000.0;
    }

    private static void sleepUntil(long nanoTime) {
        try {
            TimeUnit.NANOSECONDS.sleep(nanoTime - System.nanoTime());
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    private static IllegalStateException interrupted(InterruptedException cause) {
        Thread.currentThread().interrupt();
        return new IllegalStateException("interrupted", cause);
    }
}
