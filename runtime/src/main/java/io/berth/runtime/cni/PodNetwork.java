package io.berth.runtime.cni;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * The pod that is attached.
 *
 * @param netns the pinned network namespace
 * @param annotations of the pod; {@code kubernetes.io/ingress-bandwidth} and {@code egress-bandwidth} are obeyed
 * @param cgroupParent passed on as capability where a plugin asks for it; empty for none
 * @param dns the pod's resolver settings, passed on as capability where a plugin asks for them
 */
public record PodNetwork(String sandboxId, String namespace, String name, String uid, Path netns,
        List<PortMapping> portMappings, Map<String, String> annotations, String cgroupParent, Dns dns) {
    /**
     * @param hostPort 0 for none: such a mapping is left out
     * @param protocol tcp, udp or sctp
     * @param hostIp empty for all addresses
     */
    public record PortMapping(int hostPort, int containerPort, String protocol, String hostIp) {}

    /** The CRI's {@code DNSConfig}; all lists empty where the request has none. */
    public record Dns(List<String> servers, List<String> searches, List<String> options) {}
}
