package io.berth.runtime.cni;

import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

/** The pod network: the first valid conflist or conf (by name) of the configured folder, re-read when the folder changes. */
public interface Cni extends AutoCloseable {
    /** Why the network is not ready, in words for the operator; empty when it is. */
    Optional<String> notReadyReason();

    /** The loaded network configuration's JSON for Status verbose; empty when none. */
    Optional<String> loadedConfig();

    /**
     * Takes the pods' address ranges, one or one of each family separated by a comma, and writes the network configuration from
     * its template where the node has one and no other configuration.
     *
     * @throws IllegalArgumentException where {@code podCidr} is no such list
     * @throws CniException where the configuration cannot be made
     */
    void podCidr(String podCidr) throws CniException;

    /**
     * Has each plugin drop what it keeps of pods that are not attached (GC, from CNI 1.1.0 on), where the configuration and all of
     * its plugins know that; no ADD runs meanwhile. A plugin that fails is logged.
     *
     * @param attached ids of the sandboxes whose attachments stay, asked when no ADD runs any more
     */
    void collect(Supplier<Set<String>> attached);

    /** Runs ADD through the chain. After a failure DEL has been run: nothing is left. */
    CniResult add(PodNetwork pod, Duration deadline) throws CniException;

    /**
     * Runs DEL through the chain that ADD used ({@link CniResult#configJson}). Attached nowhere or the netns gone is
     * success. After an ADD whose result was never kept, a result of empty strings runs it with the present configuration.
     */
    void del(PodNetwork pod, CniResult result, Duration deadline) throws CniException;

    /**
     * Runs CHECK through the chain that ADD used, from CNI 0.4.0 on and unless the configuration disables it.
     *
     * @throws CniException at the first plugin that finds the pod's network other than its ADD left it
     */
    void check(PodNetwork pod, CniResult result, Duration deadline) throws CniException;

    @Override
    void close();
}
