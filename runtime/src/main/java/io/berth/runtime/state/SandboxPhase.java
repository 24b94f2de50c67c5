package io.berth.runtime.state;

/** Where a sandbox is in its life. Every phase but {@link #READY} is NOTREADY to the CRI. */
public enum SandboxPhase {
    /** RunPodSandbox is under way, or failed and could not be undone entirely; hidden while under way. */
    CREATING, READY,
    /** StopPodSandbox has begun: nothing new may start in it. */
    STOPPING, STOPPED,
    /** RemovePodSandbox has begun. */
    REMOVING
}
