package io.berth.runtime.lifecycle;

import com.google.protobuf.MessageLite;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/**
 * How large the configuration of a pod or container may be. Berth holds all of them in memory, and every list repeats their
 * labels and annotations: without a limit a few requests would make lists that no client takes.
 */
public final class ConfigLimits {
    /** Twice what Kubernetes allows for the annotations of an object. */
    static final long MAX_LABEL_BYTES = 512 << 10;
    /** Above the 1.5 MiB of an object in Kubernetes, with the environment that its config maps add. */
    static final long MAX_CONFIG_BYTES = 4 << 20;
    /** An OCI runtime makes a few thousand system calls for so many. */
    static final int MAX_MOUNTS = 4096;

    private ConfigLimits() {}

    /** Refuses, as INVALID, a configuration that is too large. */
    public static void check(MessageLite config, Map<String, String> labels, Map<String, String> annotations)
            throws LifecycleException {
        long bytes = bytes(labels) + bytes(annotations);
        if (bytes > MAX_LABEL_BYTES) {
            throw tooLarge("config.labels and annotations: the labels and annotations are " + bytes
                    + " bytes together", MAX_LABEL_BYTES + " bytes");
        }
        if (config.getSerializedSize() > MAX_CONFIG_BYTES) {
            throw tooLarge("config is " + config.getSerializedSize() + " bytes", MAX_CONFIG_BYTES + " bytes");
        }
    }

    /** Refuses, as INVALID, more mounts than a container should have. */
    public static void checkMounts(List<?> mounts) throws LifecycleException {
        if (mounts.size() > MAX_MOUNTS) {
            throw tooLarge("config.mounts has " + mounts.size() + " entries", Integer.toString(MAX_MOUNTS));
        }
    }

    private static LifecycleException tooLarge(String what, String limit) {
        return new LifecycleException(LifecycleException.Kind.INVALID, what + "; Berth takes up to " + limit);
    }

    private static long bytes(Map<String, String> map) {
        return map.entrySet().stream()
                .mapToLong(entry -> (long) bytes(entry.getKey()) + bytes(entry.getValue()))
                .sum();
    }

    private static int bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8).length;
    }
}
