package io.berth.imagestore.store;

import io.berth.imagestore.Snapshots.Snapshot;
import io.berth.linux.DetachedMount;
import io.berth.linux.Errno;
import io.berth.linux.FilesystemContext;
import io.berth.linux.LinuxException;
import io.berth.linux.MountAttribute;
import io.berth.linux.MountFlag;
import io.berth.linux.Mounts;
import io.berth.linux.WorkingDirectory;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Collectors;

/** Mounts a snapshot: layer by layer where the kernel takes them so, else all in one line of options. */
final class OverlayMount {
    private static final String SOURCE = "berth";

    private OverlayMount() {}

    /** @param layers the directory that holds all lower ones */
    static void mount(Snapshot snapshot, Path layers, Path target, boolean readOnly) throws LinuxException {
        try (FilesystemContext context = FilesystemContext.open("overlay")) {
            context.set("source", SOURCE);
            for (Path lower : snapshot.lower()) {
                context.set("lowerdir+", lower.toString());
            }
            context.set("upperdir", snapshot.upper().toString()).set("workdir", snapshot.work().toString());
            try (DetachedMount mount = context
                    .mount(readOnly ? Set.of(MountAttribute.READ_ONLY) : Set.of())) {
                mount.attach(target);
            }
        } catch (LinuxException e) {
            // ENOSYS: no fsopen(2) before Linux 5.2. EINVAL: no "lowerdir+" before 6.7, or a path of 256 bytes.
            if (e.errno() != Errno.ENOSYS && e.errno() != Errno.EINVAL) {
                throw e;
            }
            mountByOptions(snapshot, layers, target, readOnly);
        }
    }

    /** {@code mount(2)}, which takes one page of options: with names relative to {@code layers} for 500 layers enough. */
    static void mountByOptions(Snapshot snapshot, Path layers, Path target, boolean readOnly)
            throws LinuxException {
        String lower = snapshot.lower().stream().map(path -> layers.relativize(path).toString())
                .collect(Collectors.joining(":"));
        String options = "lowerdir=" + lower + ",upperdir=" + escaped(layers.relativize(snapshot.upper()))
                + ",workdir="
                + escaped(layers.relativize(snapshot.work()));
        WorkingDirectory.with(layers, () -> Mounts.mount(SOURCE, target.toAbsolutePath(), "overlay",
                readOnly ? Set.of(MountFlag.READ_ONLY) : Set.of(), options));
    }

    /** Commas end an option. */
    private static String escaped(Path path) {
        return path.toString().replace("\\", "\\\\").replace(",", "\\,");
    }
}
