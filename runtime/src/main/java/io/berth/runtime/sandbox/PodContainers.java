package io.berth.runtime.sandbox;

/** What a sandbox's end asks of its containers. */
public interface PodContainers {
    /** Ends every container of the sandbox by SIGKILL and returns when all have. */
    void killAll(String sandboxId) throws Exception;

    /** Removes every container of the sandbox. */
    void removeAll(String sandboxId) throws Exception;
}
