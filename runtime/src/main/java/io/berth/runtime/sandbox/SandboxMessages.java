package io.berth.runtime.sandbox;

import io.berth.cri.v1.LinuxPodSandboxStatus;
import io.berth.cri.v1.Namespace;
import io.berth.cri.v1.NamespaceOption;
import io.berth.cri.v1.PodIP;
import io.berth.cri.v1.PodSandbox;
import io.berth.cri.v1.PodSandboxFilter;
import io.berth.cri.v1.PodSandboxNetworkStatus;
import io.berth.cri.v1.PodSandboxState;
import io.berth.cri.v1.PodSandboxStatus;
import io.berth.runtime.lifecycle.Labels;
import io.berth.runtime.state.SandboxPhase;
import io.berth.runtime.state.SandboxRecord;
import java.util.Collection;
import java.util.List;

/** Sandboxes as CRI messages, from memory alone. */
public final class SandboxMessages {
    private SandboxMessages() {}

    /** CRI {@code ListPodSandbox}: those that match every condition of {@code filter}; its id may be a prefix. */
    public static List<PodSandbox> list(Collection<Sandbox> sandboxes, PodSandboxFilter filter) {
        return sandboxes.stream().map(Sandbox::record).filter(record -> matches(record, filter))
                .map(SandboxMessages::item).toList();
    }

    /** One line of a list. */
    static PodSandbox item(SandboxRecord record) {
        return PodSandbox.newBuilder().setId(record.id()).setMetadata(record.config().getMetadata())
                .setState(state(record)).setCreatedAt(record.createdAtNanos())
                .putAllLabels(record.config().getLabelsMap())
                .putAllAnnotations(record.config().getAnnotationsMap())
                .setRuntimeHandler(record.requestedHandler()).build();
    }

    /** CRI {@code PodSandboxStatus}. A sandbox that is off the network or on the host's has no address of its own. */
    public static PodSandboxStatus status(SandboxRecord record) {
        NamespaceOption namespaces = record.config().getLinux().getSecurityContext().getNamespaceOptions();
        return PodSandboxStatus.newBuilder().setId(record.id()).setMetadata(record.config().getMetadata())
                .setState(state(record)).setCreatedAt(record.createdAtNanos()).setNetwork(network(record))
                .setLinux(LinuxPodSandboxStatus.newBuilder()
                        .setNamespaces(Namespace.newBuilder().setOptions(namespaces)))
                .putAllLabels(record.config().getLabelsMap())
                .putAllAnnotations(record.config().getAnnotationsMap())
                .setRuntimeHandler(record.requestedHandler()).build();
    }

    private static PodSandboxNetworkStatus network(SandboxRecord record) {
        List<String> ips = record.network().map(SandboxRecord.Attachment::ips).orElse(List.of());
        if (ips.isEmpty()) {
            return PodSandboxNetworkStatus.getDefaultInstance();
        }
        PodSandboxNetworkStatus.Builder network = PodSandboxNetworkStatus.newBuilder().setIp(ips.getFirst());
        ips.stream().skip(1).forEach(ip -> network.addAdditionalIps(PodIP.newBuilder().setIp(ip)));
        return network.build();
    }

    private static PodSandboxState state(SandboxRecord record) {
        return record.phase() == SandboxPhase.READY
                ? PodSandboxState.SANDBOX_READY
                : PodSandboxState.SANDBOX_NOTREADY;
    }

    private static boolean matches(SandboxRecord record, PodSandboxFilter filter) {
        return record.id().startsWith(filter.getId())
                && (!filter.hasState() || filter.getState().getState() == state(record))
                && Labels.match(filter.getLabelSelectorMap(), record.config().getLabelsMap());
    }
}
