package io.berth.runtime.sandbox;

import io.berth.cri.v1.PodSandboxConfig;
import io.berth.runtime.cni.Cni;
import io.berth.runtime.cni.CniException;
import io.berth.runtime.cni.CniResult;
import io.berth.runtime.cni.PodNetwork;
import io.berth.runtime.state.SandboxRecord;
import io.berth.runtime.state.SandboxRecord.Attachment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Attaches sandboxes to the pod network and takes them off it. */
final class PodNetworks {
    private final Cni cni;
    private final Duration timeout;

    PodNetworks(Cni cni, Duration timeout) {
        this.cni = cni;
        this.timeout = timeout;
    }

    /**
     * What to persist before {@link #attach}: enough for DEL, should the daemon end in the middle of ADD. The addresses
     * are not known yet.
     */
    Attachment intent() {
        return new Attachment(List.of(), "", cni.loadedConfig().orElse(""));
    }

    /** CNI ADD. On failure nothing is left. */
    Attachment attach(SandboxRecord sandbox, Path netns) throws CniException {
        CniResult result = cni.add(network(sandbox, netns), timeout);
        return new Attachment(List.copyOf(result.ips()), result.resultJson(), result.configJson());
    }

    /** CNI DEL of what {@code sandbox} records as attached; nothing recorded is success. */
    void detach(SandboxRecord sandbox) throws CniException {
        @Nullable
        Attachment attachment = sandbox.network().orElse(null);
        @Nullable
        Path netns = sandbox.namespaces().get("network");
        if (attachment == null || netns == null) {
            return;
        }
        cni.del(network(sandbox, netns),
                new CniResult(attachment.ips(), attachment.resultJson(), attachment.configJson()), timeout);
    }

    /**
     * CNI CHECK of what {@code sandbox} records as attached; nothing recorded is success.
     *
     * @throws CniException saying what is not as ADD left it
     */
    void check(SandboxRecord sandbox) throws CniException {
        @Nullable
        Attachment attachment = sandbox.network().orElse(null);
        @Nullable
        Path netns = sandbox.namespaces().get("network");
        if (attachment != null && netns != null && !attachment.resultJson().isEmpty()) {
            cni.check(network(sandbox, netns),
                    new CniResult(attachment.ips(), attachment.resultJson(), attachment.configJson()),
                    timeout);
        }
    }

    private static PodNetwork network(SandboxRecord sandbox, Path netns) {
        PodSandboxConfig config = sandbox.config();
        // A port mapping without a host port only documents the container's port.
        List<PodNetwork.PortMapping> ports = config.getPortMappingsList().stream()
                .filter(mapping -> mapping.getHostPort() > 0)
                .map(mapping -> new PodNetwork.PortMapping(mapping.getHostPort(), mapping.getContainerPort(),
                        mapping.getProtocol().name().toLowerCase(Locale.ROOT), mapping.getHostIp()))
                .toList();
        return new PodNetwork(sandbox.id(), config.getMetadata().getNamespace(),
                config.getMetadata().getName(),
                config.getMetadata().getUid(), netns, ports, config.getAnnotationsMap(),
                config.getLinux().getCgroupParent(),
                new PodNetwork.Dns(config.getDnsConfig().getServersList(),
                        config.getDnsConfig().getSearchesList(),
                        config.getDnsConfig().getOptionsList()));
    }
}
