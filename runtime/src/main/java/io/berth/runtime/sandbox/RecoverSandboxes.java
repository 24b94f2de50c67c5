package io.berth.runtime.sandbox;

import io.berth.runtime.lifecycle.Together;
import io.berth.runtime.state.Durability;
import io.berth.runtime.state.Layout;
import io.berth.runtime.state.SandboxPhase;
import io.berth.runtime.state.SandboxRecord;
import io.berth.runtime.state.StateException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Takes up the sandboxes of an earlier daemon: those that still stand, those that do not, and half-made ones. */
final class RecoverSandboxes {
    private static final Logger log = LoggerFactory.getLogger(RecoverSandboxes.class);

    private final Sandboxes sandboxes;
    private final SandboxParts parts;
    private final SandboxEnvironment environment;
    private final Layout layout;

    RecoverSandboxes(Sandboxes sandboxes, SandboxParts parts, SandboxEnvironment environment, Layout layout) {
        this.sandboxes = sandboxes;
        this.parts = parts;
        this.environment = environment;
        this.layout = layout;
    }

    /** Returns when all are taken up; a sandbox that makes trouble is listed as not ready and logged. */
    void recover(List<SandboxRecord> records) throws Exception {
        List<Together.Step> steps = new ArrayList<>();
        for (SandboxRecord record : records) {
            Sandbox sandbox = sandboxes.restore(record);
            switch (record.phase()) {
                case CREATING -> steps.add(() -> undo(sandbox));
                case READY -> steps.add(() -> check(sandbox));
                // kubelet asks again for the rest of a stop or removal.
                case STOPPING, STOPPED, REMOVING -> log.atDebug().addKeyValue("sandbox", record.id())
                        .log("sandbox is not ready");
            }
        }
        Together.run(steps);
        cleanOrphans();
    }

    /** Directories of no known sandbox, left by a lost database. Their network attachment is not known any more. */
    private void cleanOrphans() throws IOException {
        if (!Files.isDirectory(layout.sandboxesState())) {
            return;
        }
        List<Path> directories;
        try (Stream<Path> entries = Files.list(layout.sandboxesState())) {
            directories = entries.toList();
        }
        for (Path directory : directories) {
            String id = directory.getFileName().toString();
            if (sandboxes.find(id).isEmpty()) {
                environment.destroy(directory);
                log.atWarn().addKeyValue("sandbox", id).log("cleaned up what belongs to no known sandbox");
            }
        }
    }

    /** RunPodSandbox had not answered: nobody knows this sandbox. */
    private void undo(Sandbox sandbox) throws StateException, InterruptedException {
        try {
            parts.takeApart(sandbox);
            sandboxes.forget(sandbox);
            log.atInfo().addKeyValue("sandbox", sandbox.id()).log("undid a half-made sandbox");
        } catch (IOException e) {
            sandboxes.update(sandbox, Durability.DAEMON_CRASH,
                    record -> record.withPhase(SandboxPhase.STOPPING));
            log.atError().addKeyValue("sandbox", sandbox.id()).setCause(e)
                    .log("could not undo a half-made sandbox; it is listed as not ready");
        }
    }

    private void check(Sandbox sandbox) throws IOException {
        if (!stands(sandbox.record())) {
            sandboxes.update(sandbox, Durability.DAEMON_CRASH,
                    record -> record.withPhase(SandboxPhase.STOPPING));
            log.atWarn().addKeyValue("sandbox", sandbox.id())
                    .log("sandbox has lost its namespaces, as after a reboot; it is not ready");
        }
    }

    private boolean stands(SandboxRecord record) throws IOException {
        boolean pauseStands = record.pause().isEmpty() || PauseProcess.alive(record.pause().get());
        return pauseStands && environment.intact(layout.sandbox(record.id()), record.config());
    }
}
