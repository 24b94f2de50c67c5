package io.berth.runtime.cni;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.linux.LinuxException;
import io.berth.linux.Mounts;
import io.berth.runtime.cni.PluginRunner.Answer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** All plugins of one network, for one pod (CNI spec, section 3). */
final class PluginChain {
    /** The pod's default interface, as kubelet and its users know it. */
    static final String INTERFACE = "eth0";

    private final NetworkConfig config;
    private final PodNetwork pod;
    private final PluginRunner runner;
    private final CapabilityArguments capabilities;

    PluginChain(NetworkConfig config, PodNetwork pod, PluginRunner runner) throws CniException {
        this.config = config;
        this.pod = pod;
        this.runner = runner;
        this.capabilities = CapabilityArguments.of(pod);
    }

    /**
     * ADD of each plugin, each with the result of the one before.
     *
     * @throws CniException at the first that fails; {@link #undo} is the caller's to call
     */
    CniResult add(Duration deadline) throws CniException {
        long end = System.nanoTime() + deadline.toNanos();
        Map<String, String> arguments = arguments(pod.netns().toString());
        Optional<ObjectNode> result = Optional.empty();
        for (int i = 0; i < config.plugins().size(); i++) {
            ObjectNode printed = run("ADD", i, result, arguments, left(end));
            if (printed.isEmpty()) {
                throw failed("ADD", i, new Answer.Failure(-1, "it ended well but printed no result", false));
            }
            result = Optional.of(printed);
        }
        ObjectNode last = result.orElseThrow();
        List<String> addresses = addresses(last);
        if (addresses.isEmpty()) {
            throw new CniException("network \"" + config.name() + "\" gave pod " + described()
                    + " no address: its first plugin needs an \"ipam\" section; the result is " + last, null);
        }
        return new CniResult(addresses, last.toString(), config.json());
    }

    /** CHECK of each plugin, in the order of ADD and with its last result. */
    void check(String resultJson, Duration deadline) throws CniException {
        long end = System.nanoTime() + deadline.toNanos();
        Optional<ObjectNode> previous = previous(resultJson);
        Map<String, String> arguments = arguments(pod.netns().toString());
        for (int i = 0; i < config.plugins().size(); i++) {
            run("CHECK", i, previous, arguments, left(end));
        }
    }

    /** DEL of each plugin, last first; at the first that fails it ends, as the spec says, for the caller to try again. */
    void delete(String resultJson, Duration deadline) throws CniException {
        long end = System.nanoTime() + deadline.toNanos();
        Optional<ObjectNode> previous = previous(resultJson);
        Map<String, String> arguments = arguments(present() ? pod.netns().toString() : "");
        for (int i = config.plugins().size() - 1; i >= 0; i--) {
            run("DEL", i, previous, arguments, left(end));
        }
    }

    /**
     * DEL of each plugin after an ADD that has failed. One that fails or hangs does not keep the others from cleaning up: each has a
     * share of the time.
     */
    void undo(Duration deadline, CniException cause) {
        Map<String, String> arguments = arguments(present() ? pod.netns().toString() : "");
        Duration share = deadline.dividedBy(config.plugins().size());
        for (int i = config.plugins().size() - 1; i >= 0; i--) {
            try {
                run("DEL", i, Optional.empty(), arguments, share);
            } catch (CniException e) {
                cause.addSuppressed(e);
            }
        }
    }

    private ObjectNode run(String command, int index, Optional<ObjectNode> previous,
            Map<String, String> arguments,
            Duration deadline) throws CniException {
        ObjectNode plugin = config.plugins().get(index).deepCopy();
        plugin.put("name", config.name());
        plugin.put("cniVersion", config.cniVersion());
        capabilities.requestedBy(plugin).ifPresent(asked -> plugin.set("runtimeConfig", asked));
        previous.ifPresent(result -> plugin.set("prevResult", result));
        return switch (runner.run(command, plugin.path("type").asText(), plugin, arguments, deadline)) {
            case Answer.Success success -> success.result();
            case Answer.Failure failure -> throw failed(command, index, failure);
        };
    }

    private CniException failed(String command, int index, Answer.Failure failure) {
        return new CniException(
                "CNI plugin " + config.plugins().get(index).path("type").asText() + " (" + (index + 1)
                        + " of " + config.plugins().size() + " in network \"" + config.name()
                        + "\") failed on " + command
                        + " for pod " + described() + ": " + failure.words(),
                failure.timeout(), null);
    }

    private String described() {
        return pod.namespace() + "/" + pod.name() + " (sandbox " + pod.sandboxId() + ")";
    }

    private Map<String, String> arguments(String netns) {
        Map<String, String> arguments = new HashMap<>();
        arguments.put("CNI_CONTAINERID", pod.sandboxId());
        arguments.put("CNI_NETNS", netns);
        arguments.put("CNI_IFNAME", INTERFACE);
        arguments.put("CNI_ARGS", String.join(";", "IgnoreUnknown=1", "K8S_POD_NAMESPACE=" + pod.namespace(),
                "K8S_POD_NAME=" + pod.name(), "K8S_POD_INFRA_CONTAINER_ID=" + pod.sandboxId(),
                "K8S_POD_UID=" + pod.uid()));
        return arguments;
    }

    /** Whether the network namespace is still pinned. A plugin that is told of none cleans up what is on the node. */
    private boolean present() {
        try {
            return Mounts.isMountPoint(pod.netns());
        } catch (LinuxException e) {
            return false;
        }
    }

    private Optional<ObjectNode> previous(String resultJson) throws CniException {
        if (resultJson.isEmpty() || !config.previousResultOnDelete()) {
            return Optional.empty();
        }
        try {
            return NetworkConfig.JSON.readTree(resultJson) instanceof ObjectNode object
                    ? Optional.of(object)
                    : Optional.empty();
        } catch (JsonProcessingException e) {
            throw new CniException("the kept CNI result of pod " + described() + " is not JSON", e);
        }
    }

    /** Addresses of the pod's own interface, in the result's order; those of bridges and host ends are not its. */
    private static List<String> addresses(ObjectNode result) {
        List<String> addresses = new ArrayList<>();
        for (JsonNode ip : result.path("ips")) {
            JsonNode owner = ip.has("interface")
                    ? result.path("interfaces").path(ip.path("interface").asInt(-1))
                    : null;
            String address = ip.path("address").asText("");
            boolean own = owner == null || (owner.path("name").asText().equals(INTERFACE)
                    && !owner.path("sandbox").asText("").isEmpty());
            if (own && !address.isEmpty()) {
                addresses.add(address.replaceFirst("/.*", ""));
            }
        }
        return addresses;
    }

    private static Duration left(long end) {
        return Duration.ofNanos(end - System.nanoTime());
    }
}
