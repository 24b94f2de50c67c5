package io.berth.runtime.admin;

import io.berth.imagestore.ImageTools.LayerProgress;
import io.berth.imagestore.ImageTools.PullListener;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Reports how far a pull is, a few times a second and once at its end. */
final class PullReports implements PullListener, AutoCloseable {
    private static final Duration INTERVAL = Duration.ofMillis(200);

    private final Consumer<List<LayerProgress>> report;
    private @Nullable Thread ticker;
    private List<LayerProgress> layers = List.of();

    PullReports(Consumer<List<LayerProgress>> report) {
        this.report = report;
    }

    @Override
    public void layers(List<LayerProgress> ofPull) {
        layers = ofPull;
        report.accept(ofPull);
        ticker = Thread.ofVirtual().name("pull-reports").start(() -> {
            try {
                while (true) {
                    Thread.sleep(INTERVAL);
                    report.accept(ofPull);
                }
            } catch (InterruptedException e) {
                // The pull has ended.
            }
        });
    }

    @Override
    public void close() {
        Thread running = ticker;
        if (running == null) {
            return;
        }
        running.interrupt();
        boolean interrupted = false;
        while (running.isAlive()) {
            try {
                running.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        } else {
            report.accept(layers);
        }
    }
}
