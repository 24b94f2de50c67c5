package io.berth.e2e.powerloss;

import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.powerloss.Journal.Known;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * One boot of a machine whose power is cut again and again: checks that what was answered before the cut holds, says
 * {@code working}, then pulls, removes, runs and removes until the next cut. Ends with 1 where something does not hold.
 */
final class PowerLossBoot {
    private static final int PODS = 3;

    private final PowerLossNode node;
    private final Cri cri;
    private final Random choice = new Random();
    private final Queue<PodHandle> running = new ArrayDeque<>();
    private final BlockingQueue<Throwable> failures = new LinkedBlockingQueue<>();

    private PowerLossBoot(PowerLossNode node, Cri cri) {
        this.node = node;
        this.cri = cri;
    }

    /**
     * @param arguments a directory on the machine's disk; a journal's file outside the machine; {@code last} for a boot that
     *        only checks
     */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        Path disk = Path.of(arguments[0]);
        boolean isLast = arguments.length > 2;
        try (Journal journal = Journal.open(Path.of(arguments[1]));
                PowerLossNode node = PowerLossNode.start(disk, journal)) {
            int images = journal.names("image", Known.THERE).size();
            int pods = journal.names("pod", Known.THERE).size();
            long began = System.nanoTime();
            try {
                node.daemon().start();
            } catch (IllegalStateException | AssertionError e) {
                fail(List.of("the daemon does not start: " + e.getMessage()), node);
            }
            Duration start = Duration.ofNanos(System.nanoTime() - began);
            try (Cri cri = Cri.connect(node.daemon().socket())) {
                List<String> problems = AfterBoot.problems(node, cri);
                if (!problems.isEmpty()) {
                    fail(problems, node);
                }
                say("%d images and %d pods that were reported are there and whole; the daemon started in %.1f s"
                        .formatted(images, pods, start.toMillis() / 1000.0));
                if (!isLast) {
                    fail(List.of(String.valueOf(new PowerLossBoot(node, cri).work())), node);
                }
            }
        }
    }

    /** Works until something fails; gives that. */
    private Throwable work() throws InterruptedException {
        Thread.startVirtualThread(() -> repeatedly(this::pullOrRemove));
        Thread.startVirtualThread(() -> repeatedly(this::leadAPodsLife));
        say("working");
        return failures.take();
    }

    private void repeatedly(Runnable work) {
        try {
            while (true) {
                work.run();
            }
        } catch (RuntimeException | Error e) {
            failures.add(e);
        }
    }

    private void pullOrRemove() {
        String image = node.images().get(choice.nextInt(node.images().size()));
        if (choice.nextInt(3) > 0) {
            node.pull(cri, image);
        } else {
            node.remove(cri, image);
        }
    }

    /** A few run at any time. */
    private void leadAPodsLife() {
        PodHandle pod = PodHandle.run(cri, Configs.pod("power", node.logs()), "");
        node.journal().note(Known.THERE, "pod " + pod.id());
        running.add(pod);
        pod.start(Configs.container("main", node.busybox(), "sleep", "1000"));
        if (running.size() > PODS) {
            PodHandle oldest = running.remove();
            node.journal().note(Known.UNKNOWN, "pod " + oldest.id());
            oldest.close();
        }
    }

    private static void fail(List<String> problems, PowerLossNode node) {
        problems.forEach(problem -> say("FAILED: " + problem));
        System.out.println(node.daemon().logTail());
        // Without waiting for what still works.
        Runtime.getRuntime().halt(1);
    }

    private static void say(String line) {
        System.out.println("power-loss: " + line);
    }
}
