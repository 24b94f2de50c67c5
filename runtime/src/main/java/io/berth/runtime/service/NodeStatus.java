package io.berth.runtime.service;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.cri.v1.RuntimeCondition;
import io.berth.cri.v1.RuntimeFeatures;
import io.berth.cri.v1.RuntimeHandler;
import io.berth.cri.v1.RuntimeHandlerFeatures;
import io.berth.cri.v1.RuntimeStatus;
import io.berth.cri.v1.StatusResponse;
import io.berth.runtime.config.BerthConfig;
import io.berth.runtime.oci.HandlerFeatures;
import io.berth.runtime.oci.OciRuntime;
import io.berth.runtime.sandbox.RuntimeHandlers;
import java.util.Optional;

/** CRI {@code Status}: whether the node can run pods, and what its runtime handlers can do. */
final class NodeStatus {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final BerthConfig config;
    private final Seams seams;
    private final RuntimeHandlers handlers;

    NodeStatus(BerthConfig config, Seams seams, RuntimeHandlers handlers) {
        this.config = config;
        this.seams = seams;
        this.handlers = handlers;
    }

    StatusResponse status(boolean verbose) throws JsonProcessingException {
        Optional<String> network = seams.cni().notReadyReason();
        StatusResponse.Builder status = StatusResponse.newBuilder()
                .setStatus(RuntimeStatus.newBuilder()
                        .addConditions(condition("RuntimeReady", Optional.empty(), ""))
                        .addConditions(condition("NetworkReady", network, "NetworkPluginNotReady")))
                .setFeatures(RuntimeFeatures.newBuilder().setSupplementalGroupsPolicy(true)
                        .setUserNamespacesHostNetwork(seams.host().userNamespaces()).setMountOptions(true));
        // kubelet looks for the default handler under the empty name.
        status.addRuntimeHandlers(handler("", handlers.defaultRuntime()));
        handlers.all().forEach(runtime -> status.addRuntimeHandlers(handler(runtime.name(), runtime)));
        if (verbose) {
            status.putInfo("config", configuration()).putInfo("runtimes", runtimes())
                    .putInfo("lastCNILoadStatus", network.orElse("OK"))
                    .putInfo("cniconfig", seams.cni().loadedConfig().orElse("{}"))
                    .putInfo("java", Runtime.version().toString());
        }
        return status.build();
    }

    private static RuntimeCondition condition(String type, Optional<String> notReady, String reason) {
        RuntimeCondition.Builder condition = RuntimeCondition.newBuilder().setType(type)
                .setStatus(notReady.isEmpty());
        notReady.ifPresent(message -> condition.setReason(reason).setMessage(message));
        return condition.build();
    }

    private static RuntimeHandler handler(String name, OciRuntime runtime) {
        HandlerFeatures features = runtime.features();
        return RuntimeHandler.newBuilder().setName(name)
                .setFeatures(RuntimeHandlerFeatures.newBuilder()
                        .setRecursiveReadOnlyMounts(features.recursiveReadOnlyMounts())
                        .setUserNamespaces(features.userNamespaces()))
                .build();
    }

    private String configuration() throws JsonProcessingException {
        ObjectNode json = JSON.createObjectNode();
        json.put("root", config.root().toString()).put("state", config.state().toString())
                .put("socket", config.socket().toString()).put("defaultRuntime", config.defaultRuntime())
                .put("cgroupDriver", seams.cgroups().driver().name().toLowerCase(java.util.Locale.ROOT))
                .put("cgroupMode", seams.cgroups().mode().name().toLowerCase(java.util.Locale.ROOT))
                .put("cniConfDir", config.cni().confDir().toString())
                .put("registriesConf", config.registry().registriesConf().toString())
                .put("ociTimeout", config.timeouts().oci().toString())
                .put("shimTimeout", config.timeouts().shim().toString())
                .put("cniTimeout", config.cni().timeout().toString());
        return JSON.writeValueAsString(json);
    }

    private String runtimes() throws JsonProcessingException {
        ObjectNode json = JSON.createObjectNode();
        handlers.all().forEach(runtime -> json.put(runtime.name(), runtime.version()));
        return JSON.writeValueAsString(json);
    }
}
