package io.berth.e2e.powerloss;

import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.ContainerStatusRequest;
import io.berth.cri.v1.ListContainersRequest;
import io.berth.cri.v1.ListPodSandboxRequest;
import io.berth.cri.v1.PodSandbox;
import io.berth.cri.v1.PodSandboxState;
import io.berth.cri.v1.RemovePodSandboxRequest;
import io.berth.cri.v1.StopPodSandboxRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.Cri;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.BerthCommand;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.StoreAudit;
import io.berth.e2e.powerloss.Journal.Known;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/** What must hold of a node that has booted after a cut, whatever the cut hit. */
final class AfterBoot {
    private static final Duration SETTLING_TIME = Duration.ofSeconds(30);

    private final PowerLossNode node;
    private final Cri cri;
    private final List<String> problems = new ArrayList<>();

    private AfterBoot(PowerLossNode node, Cri cri) {
        this.node = node;
        this.cri = cri;
    }

    /** Looks at everything, and leaves a node without pods. Each thing that is wrong; none if all is well. */
    static List<String> problems(PowerLossNode node, Cri cri) {
        var check = new AfterBoot(node, cri);
        check.images();
        check.pods();
        check.nothingIsWithoutOwner();
        check.endAllPods();
        check.nothingIsLeft();
        check.podsRunAgain();
        return check.problems;
    }

    private void images() {
        Set<String> listed = node.listed(cri);
        for (String reported : node.journal().names("image", Known.THERE)) {
            if (!listed.contains(reported)) {
                problems.add("image " + reported + " was reported pulled and is not there");
            }
        }
        Command.Result verified = new BerthCommand(node.daemon().configuration()).image("verify");
        if (verified.exitCode() != 0) {
            problems.add("berth image verify exited with " + verified.exitCode() + ": " + verified.output());
        }
        // What a cut-off call has come to is decided now.
        for (String image : node.images()) {
            node.journal().note(listed.contains(image) ? Known.THERE : Known.GONE, "image " + image);
        }
    }

    /** Nothing runs, and the daemon does not believe so. */
    private void pods() {
        var ids = new TreeSet<String>();
        for (PodSandbox pod : list()) {
            ids.add(pod.getId());
            if (pod.getState() != PodSandboxState.SANDBOX_NOTREADY) {
                problems.add("pod " + pod.getId() + " of before the cut is " + pod.getState());
            }
        }
        for (String reported : node.journal().names("pod", Known.THERE)) {
            if (!ids.contains(reported)) {
                problems.add("pod " + reported + " was reported to run and is not listed");
            }
        }
        for (String id : containers()) {
            ContainerStatus status = cri.runtime().containerStatus(
                    ContainerStatusRequest.newBuilder().setContainerId(id).build()).getStatus();
            if (status.getState() != ContainerState.CONTAINER_EXITED) {
                problems.add("container " + id + " of before the cut is " + status.getState());
            }
        }
    }

    private void nothingIsWithoutOwner() {
        settle("without an owner", () -> {
            var found = new ArrayList<String>();
            try {
                Set<String> containers = containers();
                found.addAll(StoreAudit.of(node.disk().resolve("root/images"), node.daemon().socket())
                        .withoutOwner(containers));
                strangers(found, node.disk().resolve("root/containers"), containers);
                var pods = new TreeSet<String>();
                list().forEach(pod -> pods.add(pod.getId()));
                strangers(found, node.disk().resolve("root/sandboxes"), pods);
                for (Path lease : leases()) {
                    String owner = Files.readAllLines(lease).getFirst();
                    if (!pods.contains(owner)) {
                        found.add("lease " + lease + " of " + owner);
                    }
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            return found;
        });
    }

    private void endAllPods() {
        for (PodSandbox pod : list()) {
            cri.runtime()
                    .stopPodSandbox(StopPodSandboxRequest.newBuilder().setPodSandboxId(pod.getId()).build());
            cri.runtime().removePodSandbox(
                    RemovePodSandboxRequest.newBuilder().setPodSandboxId(pod.getId()).build());
        }
        node.journal().names("pod", Known.THERE)
                .forEach(id -> node.journal().note(Known.GONE, "pod " + id));
    }

    private void nothingIsLeft() {
        settle("left of pods that were removed", () -> {
            var found = new ArrayList<String>();
            for (String parent : List.of("root/containers", "root/sandboxes", "root/images/snapshots")) {
                children(node.disk().resolve(parent)).forEach(child -> found.add(child.toString()));
            }
            leases().forEach(lease -> found.add(lease.toString()));
            return found;
        });
    }

    private void podsRunAgain() {
        node.pull(cri, node.busybox());
        try (PodHandle pod = PodHandle.run(cri, Configs.pod("after", node.logs()), "")) {
            String output = pod.start(Configs.container("main", node.busybox(), "echo", "as before"))
                    .output();
            if (!output.equals("as before")) {
                problems.add("a container of a new pod wrote \"" + output + "\"");
            }
        }
    }

    private interface Search {
        List<String> found();
    }

    /** A daemon undoes what was half made after it has begun to serve. */
    private void settle(String what, Search search) {
        try {
            Await.until("nothing is " + what, SETTLING_TIME, search::found, List::isEmpty);
        } catch (AssertionError e) {
            search.found().forEach(one -> problems.add(what + ": " + one));
        }
    }

    private static void strangers(List<String> found, Path parent, Set<String> owners) {
        for (Path child : children(parent)) {
            if (!owners.contains(child.getFileName().toString())) {
                found.add(child.toString());
            }
        }
    }

    /**
     * Addresses in use. Some of host-local's files are empty after a cut, since it waits for no disk: nobody can say whose they
     * were, and no DEL finds them. Files of a tmpfs go with the boot that they are of, which is what docs/reliability.md tells.
     */
    private List<Path> leases() {
        return children(node.leases()).stream()
                .filter(file -> Character.isDigit(file.getFileName().toString().charAt(0)))
                .filter(file -> file.toFile().length() > 0).toList();
    }

    private static List<Path> children(Path directory) {
        if (!Files.isDirectory(directory)) {
            return List.of();
        }
        try (Stream<Path> children = Files.list(directory)) {
            return children.toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private List<PodSandbox> list() {
        return cri.runtime().listPodSandbox(ListPodSandboxRequest.getDefaultInstance()).getItemsList();
    }

    private Set<String> containers() {
        var ids = new TreeSet<String>();
        cri.runtime().listContainers(ListContainersRequest.getDefaultInstance()).getContainersList()
                .forEach(container -> ids.add(container.getId()));
        return ids;
    }
}
