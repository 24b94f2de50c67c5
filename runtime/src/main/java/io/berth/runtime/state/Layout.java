package io.berth.runtime.state;

import java.nio.file.Path;

/**
 * Where the daemon keeps what belongs to a sandbox or container.
 *
 * @param root survives a reboot
 * @param state does not
 */
public record Layout(Path root, Path state) {
    /** The database. */
    public Path database() {
        return root.resolve("berth.db");
    }

    public Path sandboxesState() {
        return state.resolve("sandboxes");
    }

    public Path containersState() {
        return state.resolve("containers");
    }

    public Path containersRoot() {
        return root.resolve("containers");
    }

    /** Pinned namespaces and files of a sandbox. */
    public Path sandbox(String id) {
        return sandboxesState().resolve(id);
    }

    /** The shim's directory. */
    public Path shim(String containerId) {
        return containersState().resolve(containerId);
    }

    /** Where a container's root filesystem is mounted. */
    public Path rootfs(String containerId) {
        return shim(containerId).resolve("rootfs");
    }

    /** What an OCI runtime binds into a container, mounted only while that is made. */
    public Path mountSources(String containerId) {
        return shim(containerId).resolve("mounts");
    }

    /** The volumes that the container's image declares. */
    public Path anonymousVolumes(String containerId) {
        return bundle(containerId).resolve("volumes");
    }

    /** The OCI bundle. */
    public Path bundle(String containerId) {
        return containersRoot().resolve(containerId);
    }

    /** The OCI spec of a container. */
    public Path spec(String containerId) {
        return bundle(containerId).resolve("config.json");
    }

    /** The checkpoint that a container goes on from; gone once it has been started. */
    public Path restore(String containerId) {
        return bundle(containerId).resolve("restore");
    }
}
