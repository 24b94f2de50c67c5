package io.berth.runtime.state;

/** Where a container is in its life. */
public enum ContainerPhase {
    /** CreateContainer is under way, or failed and could not be undone entirely. */
    CREATING, CREATED, RUNNING, EXITED,
    /** RemoveContainer has begun. */
    REMOVING
}
