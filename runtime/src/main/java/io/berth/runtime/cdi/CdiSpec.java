package io.berth.runtime.cdi;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A spec file of the Container Device Interface as it is written (CDI spec, JSON Definition). Lists that it leaves out are empty.
 *
 * @param version which fields it may have
 * @param kind {@code vendor/class}
 * @param edits for a container that has any of the devices
 */
record CdiSpec(@JsonProperty(value = "cdiVersion", required = true) String version,
        @JsonProperty(required = true) String kind,
        @Nullable Map<String, String> annotations,
        @JsonProperty(required = true) List<Device> devices,
        @JsonProperty("containerEdits") @Nullable Edits edits) {

    /** @param edits for a container that has this device */
    record Device(@JsonProperty(required = true) String name, @Nullable Map<String, String> annotations,
            @JsonProperty("containerEdits") @Nullable Edits edits) {}

    /**
     * What is changed of a container.
     *
     * @param env {@code NAME=value}
     * @param intelRdt null for none, as the others are empty for none
     */
    record Edits(List<String> env, List<Node> deviceNodes, List<Bind> mounts, List<Hook> hooks,
            List<Long> additionalGids, @Nullable JsonNode intelRdt, List<JsonNode> netDevices) {
        static final Edits NONE = new Edits(null, null, null, null, null, null, null);

        Edits(@Nullable List<String> env, @Nullable List<Node> deviceNodes, @Nullable List<Bind> mounts,
                @Nullable List<Hook> hooks, @Nullable List<Long> additionalGids, @Nullable JsonNode intelRdt,
                @Nullable List<JsonNode> netDevices) {
            this.env = orEmpty(env);
            this.deviceNodes = orEmpty(deviceNodes);
            this.mounts = orEmpty(mounts);
            this.hooks = orEmpty(hooks);
            this.additionalGids = orEmpty(additionalGids);
            this.intelRdt = intelRdt;
            this.netDevices = orEmpty(netDevices);
        }
    }

    /**
     * A device node. What is null is taken from the node at {@code hostPath}.
     *
     * @param path in the container
     * @param hostPath on the node; null where it is the same
     * @param type {@code b}, {@code c}, {@code u} or {@code p}
     * @param permissions of {@code r}, {@code w} and {@code m}; null for all
     */
    record Node(@JsonProperty(required = true) String path, @Nullable String hostPath, @Nullable String type,
            @Nullable Integer major, @Nullable Integer minor, @Nullable Integer fileMode,
            @Nullable String permissions, @Nullable Long uid, @Nullable Long gid) {
        String onNode() {
            return hostPath == null || hostPath.isEmpty() ? path : hostPath;
        }
    }

    /** A mount in the OCI spec's words. */
    record Bind(@JsonProperty(required = true) String hostPath,
            @JsonProperty(required = true) String containerPath, @Nullable String type,
            List<String> options) {
        Bind(String hostPath, String containerPath, @Nullable String type, @Nullable List<String> options) {
            this.hostPath = hostPath;
            this.containerPath = containerPath;
            this.type = type;
            this.options = orEmpty(options);
        }
    }

    /** A hook in the OCI spec's words. */
    record Hook(@JsonProperty(required = true) String hookName, @JsonProperty(required = true) String path,
            List<String> args, List<String> env, @Nullable Integer timeout) {
        Hook(String hookName, String path, @Nullable List<String> args, @Nullable List<String> env,
                @Nullable Integer timeout) {
            this.hookName = hookName;
            this.path = path;
            this.args = orEmpty(args);
            this.env = orEmpty(env);
            this.timeout = timeout;
        }
    }

    Edits editsForAll() {
        return edits == null ? Edits.NONE : edits;
    }

    private static <T> List<T> orEmpty(@Nullable List<T> list) {
        return list == null ? List.of() : List.copyOf(list);
    }
}
