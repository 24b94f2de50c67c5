package io.berth.runtime.container;

import io.berth.cri.v1.Container;
import io.berth.cri.v1.ContainerAttributes;
import io.berth.cri.v1.ContainerFilter;
import io.berth.cri.v1.ContainerResources;
import io.berth.cri.v1.ContainerState;
import io.berth.cri.v1.ContainerStatus;
import io.berth.cri.v1.ContainerUser;
import io.berth.cri.v1.ImageSpec;
import io.berth.runtime.lifecycle.Labels;
import io.berth.runtime.state.ContainerPhase;
import io.berth.runtime.state.ContainerRecord;
import java.util.Collection;
import java.util.List;

/** Containers as CRI messages, from memory alone. */
public final class ContainerMessages {
    private ContainerMessages() {}

    /** CRI {@code ListContainers}: those that match every condition of {@code filter}; its ids may be prefixes. */
    public static List<Container> list(Collection<io.berth.runtime.container.Container> containers,
            ContainerFilter filter) {
        return containers.stream().map(io.berth.runtime.container.Container::record)
                .filter(record -> matches(record, filter)).map(ContainerMessages::item).toList();
    }

    /** One line of a list. */
    static Container item(ContainerRecord record) {
        return Container.newBuilder().setId(record.id()).setPodSandboxId(record.sandboxId())
                .setMetadata(record.config().getMetadata()).setImage(record.config().getImage())
                .setImageRef(record.image().id()).setImageId(record.image().id()).setState(state(record))
                .setCreatedAt(record.times().created()).putAllLabels(record.config().getLabelsMap())
                .putAllAnnotations(record.config().getAnnotationsMap()).build();
    }

    /** CRI {@code ContainerStatus}; times in nanoseconds, 0 for not yet. */
    public static ContainerStatus status(ContainerRecord record) {
        boolean begun = record.phase() != ContainerPhase.CREATED;
        ImageSpec image = record.config().getImage().toBuilder().setImage(record.image().name()).build();
        return ContainerStatus.newBuilder().setId(record.id()).setMetadata(record.config().getMetadata())
                .setState(state(record)).setCreatedAt(record.times().created())
                .setStartedAt(begun ? record.times().started() : 0).setFinishedAt(record.times().finished())
                .setExitCode(record.end().exitCode()).setImage(image)
                .setImageRef(record.image().digestReference()).setImageId(record.image().id())
                .setReason(record.end().reason()).setMessage(record.end().message())
                .putAllLabels(record.config().getLabelsMap())
                .putAllAnnotations(record.config().getAnnotationsMap())
                .addAllMounts(record.config().getMountsList()).setLogPath(record.logPath())
                .setResources(ContainerResources.newBuilder().setLinux(record.resources()))
                .setUser(ContainerUser.newBuilder().setLinux(record.user()))
                .setStopSignal(StopSignals.cri(record.stopSignal())).build();
    }

    /** CRI {@code ContainerAttributes}. */
    public static ContainerAttributes attributes(ContainerRecord record) {
        return ContainerAttributes.newBuilder().setId(record.id()).setMetadata(record.config().getMetadata())
                .putAllLabels(record.config().getLabelsMap())
                .putAllAnnotations(record.config().getAnnotationsMap()).build();
    }

    private static ContainerState state(ContainerRecord record) {
        return switch (record.phase()) {
            case CREATING, CREATED -> ContainerState.CONTAINER_CREATED;
            case RUNNING -> ContainerState.CONTAINER_RUNNING;
            case EXITED, REMOVING -> ContainerState.CONTAINER_EXITED;
        };
    }

    private static boolean matches(ContainerRecord record, ContainerFilter filter) {
        return record.id().startsWith(filter.getId())
                && record.sandboxId().startsWith(filter.getPodSandboxId())
                && (!filter.hasState() || filter.getState().getState() == state(record))
                && Labels.match(filter.getLabelSelectorMap(), record.config().getLabelsMap());
    }
}
