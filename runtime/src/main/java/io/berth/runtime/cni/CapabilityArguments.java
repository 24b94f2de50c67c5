package io.berth.runtime.cni;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What a plugin is told of a pod where its configuration asks for it (CNI conventions, "Dynamic Plugin specific fields"). */
record CapabilityArguments(Map<String, JsonNode> values) {
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final String INGRESS = "kubernetes.io/ingress-bandwidth";
    private static final String EGRESS = "kubernetes.io/egress-bandwidth";
    /** Bits that may pass at once: all that the plugin can count, as the annotation names no burst. */
    private static final long BURST = 0xffff_ffffL;

    /**
     * @throws CniException where an annotation is no bandwidth
     */
    static CapabilityArguments of(PodNetwork pod) throws CniException {
        Map<String, JsonNode> values = new LinkedHashMap<>();
        portMappings(pod.portMappings()).ifPresent(mappings -> values.put("portMappings", mappings));
        bandwidth(pod.annotations()).ifPresent(bandwidth -> values.put("bandwidth", bandwidth));
        dns(pod.dns()).ifPresent(dns -> values.put("dns", dns));
        if (!pod.cgroupParent().isEmpty()) {
            values.put("cgroupPath", NODES.textNode(pod.cgroupParent()));
        }
        return new CapabilityArguments(values);
    }

    /** The {@code runtimeConfig} for one plugin; empty where it asks for nothing that the pod has. */
    Optional<ObjectNode> requestedBy(ObjectNode plugin) {
        ObjectNode runtimeConfig = NODES.objectNode();
        values.forEach((name, value) -> {
            if (plugin.path("capabilities").path(name).asBoolean(false)) {
                runtimeConfig.set(name, value);
            }
        });
        return runtimeConfig.isEmpty() ? Optional.empty() : Optional.of(runtimeConfig);
    }

    private static Optional<JsonNode> portMappings(List<PodNetwork.PortMapping> mappings) {
        ArrayNode array = NODES.arrayNode();
        for (PodNetwork.PortMapping mapping : mappings) {
            if (mapping.hostPort() > 0) {
                ObjectNode entry = array.addObject().put("hostPort", mapping.hostPort())
                        .put("containerPort", mapping.containerPort()).put("protocol", mapping.protocol());
                if (!mapping.hostIp().isEmpty()) {
                    entry.put("hostIP", mapping.hostIp());
                }
            }
        }
        return array.isEmpty() ? Optional.empty() : Optional.of(array);
    }

    private static Optional<JsonNode> bandwidth(Map<String, String> annotations) throws CniException {
        ObjectNode bandwidth = NODES.objectNode();
        rate(annotations, INGRESS)
                .ifPresent(rate -> bandwidth.put("ingressRate", rate).put("ingressBurst", BURST));
        rate(annotations, EGRESS)
                .ifPresent(rate -> bandwidth.put("egressRate", rate).put("egressBurst", BURST));
        return bandwidth.isEmpty() ? Optional.empty() : Optional.of(bandwidth);
    }

    private static Optional<Long> rate(Map<String, String> annotations, String name) throws CniException {
        String value = annotations.get(name);
        return value == null ? Optional.empty() : Optional.of(BitRate.parse(name, value));
    }

    private static Optional<JsonNode> dns(PodNetwork.Dns dns) {
        ObjectNode object = NODES.objectNode();
        put(object, "servers", dns.servers());
        put(object, "searches", dns.searches());
        put(object, "options", dns.options());
        return object.isEmpty() ? Optional.empty() : Optional.of(object);
    }

    private static void put(ObjectNode object, String name, List<String> values) {
        if (!values.isEmpty()) {
            ArrayNode array = object.putArray(name);
            values.forEach(array::add);
        }
    }
}
