package io.berth.runtime.container;

import io.berth.cri.v1.Mount;
import io.berth.linux.Errno;
import io.berth.linux.FileTree;
import io.berth.linux.LinuxException;
import io.berth.linux.RawPath;
import io.berth.linux.Xattr;
import io.berth.runtime.lifecycle.LifecycleException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/** Gives volumes the SELinux context of a container's files (CRI {@code Mount.selinux_relabel}). */
final class Relabel {
    /** What the node itself lives from; its own processes would lose it to the container. */
    private static final Set<Path> NODE = Set.of(Path.of("/"), Path.of("/bin"), Path.of("/boot"),
            Path.of("/dev"),
            Path.of("/etc"), Path.of("/home"), Path.of("/lib"), Path.of("/lib64"), Path.of("/proc"),
            Path.of("/root"),
            Path.of("/run"), Path.of("/sbin"), Path.of("/sys"), Path.of("/tmp"), Path.of("/usr"),
            Path.of("/var"),
            Path.of("/var/lib"), Path.of("/var/log"));

    private Relabel() {}

    /**
     * Labels the volumes that the request wants labelled, with all that is in them.
     *
     * @throws LifecycleException INVALID for a directory of the node itself
     */
    static void volumes(List<Mount> mounts, String context) throws IOException, LifecycleException {
        for (Mount mount : mounts) {
            if (mount.getSelinuxRelabel() && !mount.hasImage()) {
                // As the mount: what the link leads to.
                Path source = Path.of(mount.getHostPath()).toRealPath();
                if (NODE.contains(source)) {
                    throw new LifecycleException(LifecycleException.Kind.INVALID,
                            "config.mounts.selinux_relabel: mount at \"" + mount.getContainerPath() + "\": "
                                    + source
                                    + " is the node's own, and its processes could not use it with the label "
                                    + context + "; mount a directory below it, or do not ask for a label");
                }
                tree(source, context);
            }
        }
    }

    /** Labels {@code path} with all that is in it; absent is success, as is a file system that has no labels of files. */
    static void tree(Path path, String context) throws IOException {
        if (!Files.exists(path)) {
            return;
        }
        try {
            FileTree.setAttribute(RawPath.of(path), Xattr.SELINUX, context.getBytes(StandardCharsets.UTF_8));
        } catch (LinuxException e) {
            if (e.errno() != Errno.EOPNOTSUPP) {
                throw e;
            }
        }
    }
}
