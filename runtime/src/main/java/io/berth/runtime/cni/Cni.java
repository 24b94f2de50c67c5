package io.berth.runtime.cni;

import java.time.Duration;
import java.util.Optional;

/** The pod network: the first valid conflist or conf (by name) of the configured folder, re-read when the folder changes. */
public interface Cni extends AutoCloseable {
    /** Why the network is not ready, in words for the operator; empty when it is. */
    Optional<String> notReadyReason();

    /** The loaded network configuration's JSON for Status verbose; empty when none. */
    Optional<String> loadedConfig();

    /** Runs ADD through the chain. After a failure DEL has been run: nothing is left. */
    CniResult add(PodNetwork pod, Duration deadline) throws CniException;

    /**
     * Runs DEL through the chain that ADD used ({@link CniResult#configJson}). Attached nowhere or the netns gone is
     * success. After an ADD whose result was never kept, a result of empty strings runs it with the present configuration.
     */
    void del(PodNetwork pod, CniResult result, Duration deadline) throws CniException;

    @Override
    void close();
}
