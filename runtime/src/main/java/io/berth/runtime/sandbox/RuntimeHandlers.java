package io.berth.runtime.sandbox;

import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.oci.OciRuntime;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The configured OCI runtimes, by the handler names that CRI requests use. */
public final class RuntimeHandlers {
    private final TreeMap<String, OciRuntime> byName;
    private final String defaultName;

    /** @param defaultName the handler for requests that name none; must be one of {@code byName} */
    public RuntimeHandlers(Map<String, OciRuntime> byName, String defaultName) {
        this.byName = new TreeMap<>(byName);
        this.defaultName = defaultName;
        if (!byName.containsKey(defaultName)) {
            throw new IllegalArgumentException("default_runtime \"" + defaultName
                    + "\" is not one of the configured runtimes " + this.byName.keySet());
        }
    }

    /** The configured name that {@code requested} stands for; empty stands for the default. */
    public String resolve(String requested) throws LifecycleException {
        return resolve("runtime_handler", requested);
    }

    /**
     * The same for the handler that {@code field} of a request names.
     *
     * @throws LifecycleException INVALID naming the field and what is configured
     */
    public String resolve(String field, String requested) throws LifecycleException {
        if (requested.isEmpty()) {
            return defaultName;
        }
        if (!byName.containsKey(requested)) {
            throw new LifecycleException(LifecycleException.Kind.INVALID, field + ": no runtime for \""
                    + requested + "\" is configured; configured are " + byName.keySet()
                    + ". Add a [runtimes." + requested
                    + "] section to the configuration, or change the RuntimeClass");
        }
        return requested;
    }

    /** The OCI runtime of a resolved name. */
    public OciRuntime runtime(String name) throws LifecycleException {
        @Nullable
        OciRuntime runtime = byName.get(name);
        if (runtime == null) {
            throw new LifecycleException(LifecycleException.Kind.PRECONDITION, "runtime \"" + name
                    + "\" is no longer configured; configured are " + byName.keySet()
                    + ". Put its [runtimes." + name + "] section back until its pods are gone");
        }
        return runtime;
    }

    public OciRuntime defaultRuntime() {
        @Nullable
        OciRuntime runtime = byName.get(defaultName);
        if (runtime == null) {
            throw new IllegalStateException("the constructor checks this");
        }
        return runtime;
    }

    /** All of them, by name. */
    public List<OciRuntime> all() {
        return List.copyOf(byName.values());
    }
}
