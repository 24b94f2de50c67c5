package io.berth.runtime.sandbox;

import io.berth.linux.LinuxException;
import io.berth.linux.PidFd;
import io.berth.linux.ProcessTable;
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
import java.util.Set;
import java.util.stream.Collectors;
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

    /**
     * Returns when all are known. A sandbox that makes trouble is listed as not ready and logged. Half-made ones, which nobody
     * knows, are undone in the background: a CNI plugin that hangs must not keep the daemon from serving the others.
     */
    void recover(List<SandboxRecord> records, boolean rebooted) throws Exception {
        endPlugins(records);
        List<Together.Step> steps = new ArrayList<>();
        for (SandboxRecord record : records) {
            Sandbox sandbox = sandboxes.restore(record);
            switch (record.phase()) {
                case CREATING -> Thread.startVirtualThread(() -> undo(sandbox));
                case READY -> steps.add(() -> check(sandbox, rebooted));
                // kubelet asks again for the rest of a stop or removal.
                case STOPPING, STOPPED, REMOVING -> log.atDebug().addKeyValue("sandbox", record.id())
                        .log("sandbox is not ready");
            }
        }
        Together.run(steps);
        cleanOrphans();
        Thread.startVirtualThread(this::checkNetworks);
    }

    /** Whatever changed the pods' networks while no daemon was there is told; the pods run on, kubelet's probes decide. */
    private void checkNetworks() {
        for (Sandbox sandbox : sandboxes.all()) {
            if (sandbox.ready()) {
                parts.networkProblem(sandbox.record()).filter(problem -> sandbox.ready())
                        .ifPresent(problem -> log.atWarn().addKeyValue("sandbox", sandbox.id())
                                .log("the pod's network is not as it was made: " + problem));
            }
        }
    }

    /** A plugin of the earlier daemon may still run, and would attach what is taken off the network next. */
    private static void endPlugins(List<SandboxRecord> records) throws IOException {
        Set<String> variables = records.stream().filter(record -> switch (record.phase()) {
            case CREATING, STOPPING, REMOVING -> record.network().isPresent();
            case READY, STOPPED -> false;
        }).map(record -> "CNI_CONTAINERID=" + record.id()).collect(Collectors.toSet());
        if (variables.isEmpty()) {
            return;
        }
        for (long pid : ProcessTable
                .withEnvironment(environment -> environment.stream().anyMatch(variables::contains))) {
            try (PidFd process = PidFd.open(pid)) {
                ProcessTable.killTree(process);
                log.atInfo().addKeyValue("pid", pid).log("ended a CNI plugin of an earlier daemon");
            } catch (LinuxException e) {
                log.atDebug().addKeyValue("pid", pid).setCause(e).log("a CNI plugin has just ended");
            }
        }
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
            if (!sandboxes.known(id)) {
                clean(id, directory);
            }
        }
    }

    private void clean(String id, Path directory) {
        try {
            environment.destroy(directory);
            log.atWarn().addKeyValue("sandbox", id).log("cleaned up what belongs to no known sandbox");
        } catch (IOException e) {
            log.atError().addKeyValue("sandbox", id).setCause(e)
                    .log("could not clean up what belongs to no known sandbox; the next start tries again");
        }
    }

    /** RunPodSandbox had not answered: nobody knows this sandbox. */
    private void undo(Sandbox sandbox) {
        try {
            parts.takeApart(sandbox);
            sandboxes.forget(sandbox);
            log.atInfo().addKeyValue("sandbox", sandbox.id()).log("undid a half-made sandbox");
        } catch (IOException e) {
            log.atError().addKeyValue("sandbox", sandbox.id()).setCause(e)
                    .log("could not undo a half-made sandbox; it is listed as not ready");
            listAsNotReady(sandbox);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void listAsNotReady(Sandbox sandbox) {
        try {
            sandboxes.update(sandbox, Durability.DAEMON_CRASH,
                    record -> record.withPhase(SandboxPhase.STOPPING));
        } catch (StateException e) {
            log.atError().addKeyValue("sandbox", sandbox.id()).setCause(e)
                    .log("could not record that a half-made sandbox is left; the next start tries again");
        }
    }

    private void check(Sandbox sandbox, boolean rebooted) throws IOException {
        if (rebooted || !stands(sandbox.record())) {
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
