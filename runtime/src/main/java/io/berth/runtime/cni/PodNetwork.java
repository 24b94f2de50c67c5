package io.berth.runtime.cni;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * @param netns the pinned network namespace
 * @param cgroupParent passed on as capability where a plugin asks for it
 */
public record PodNetwork(String sandboxId, String namespace, String name, String uid, Path netns,
        List<PortMapping> portMappings, Map<String, String> annotations, String cgroupParent) {
    /** @param protocol tcp, udp or sctp */
    public record PortMapping(int hostPort, int containerPort, String protocol, String hostIp) {}
}
