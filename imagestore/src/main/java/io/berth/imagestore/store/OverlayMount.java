package io.berth.imagestore.store;

import io.berth.imagestore.Snapshots.MountOptions;
import io.berth.imagestore.Snapshots.Snapshot;
import io.berth.linux.DetachedMount;
import io.berth.linux.Errno;
import io.berth.linux.Fd;
import io.berth.linux.FilesystemContext;
import io.berth.linux.LinuxException;
import io.berth.linux.MountAttribute;
import io.berth.linux.MountFlag;
import io.berth.linux.Mounts;
import io.berth.linux.PrivateMounts;
import io.berth.linux.WorkingDirectory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.StringJoiner;
import java.util.stream.Collectors;

/** Mounts a snapshot: layer by layer where the kernel takes them so, else all in one line of options. */
final class OverlayMount {
    private static final String SOURCE = "berth";

    private OverlayMount() {}

    /** @param layers the directory that holds all lower ones */
    static void mount(Snapshot snapshot, Path layers, Path target, MountOptions options) throws IOException {
        if (options.userNamespace().isPresent()) {
            mountMapped(snapshot, options.userNamespace().get(), target, options);
        } else {
            mountPlain(snapshot, layers, target, options);
        }
    }

    private static void mountPlain(Snapshot snapshot, Path layers, Path target, MountOptions options)
            throws LinuxException {
        try (FilesystemContext context = FilesystemContext.open("overlay")) {
            context.set("source", SOURCE);
            for (Path lower : snapshot.lower()) {
                context.set("lowerdir+", lower.toString());
            }
            context.set("upperdir", snapshot.upper().toString()).set("workdir", snapshot.work().toString());
            if (options.selinuxContext().isPresent()) {
                context.set("context", options.selinuxContext().get());
            }
            try (DetachedMount mount = context
                    .mount(options.readOnly() ? Set.of(MountAttribute.READ_ONLY) : Set.of())) {
                mount.attach(target);
            }
        } catch (LinuxException e) {
            // ENOSYS: no fsopen(2) before Linux 5.2. EINVAL: no "lowerdir+" before 6.7, or a path of 256 bytes.
            if (e.errno() != Errno.ENOSYS && e.errno() != Errno.EINVAL) {
                throw e;
            }
            mountByOptions(snapshot, layers, target, options);
        }
    }

    /**
     * The same with each layer id-mapped (Linux 5.19): its files have in {@code userNamespace} the owners that the image says. An
     * overlay itself cannot be mapped. Before 6.15 a layer must be attached somewhere; where that is nobody sees, nor finds
     * later.
     */
    private static void mountMapped(Snapshot snapshot, Fd userNamespace, Path target, MountOptions options)
            throws IOException {
        try (DetachedMount overlay = PrivateMounts.call(() -> {
            Mounts.tmpfs(target, Set.of(), "mode=700");
            StringJoiner lower = new StringJoiner(":");
            for (int i = 0; i < snapshot.lower().size(); i++) {
                String name = Integer.toString(i, Character.MAX_RADIX);
                Path at = Files.createDirectory(target.resolve(name));
                try (DetachedMount mapped = DetachedMount.cloneOf(snapshot.lower().get(i), false)) {
                    mapped.mapIds(userNamespace, false);
                    mapped.attach(at);
                }
                lower.add(name);
            }
            Path merged = Files.createDirectory(target.resolve("all-merged"));
            mountByOptions(target, text(lower.toString(), snapshot.upper(), snapshot.work(), options), merged,
                    options.readOnly());
            return DetachedMount.cloneOf(merged, false);
        })) {
            overlay.attach(target);
        }
    }

    /** For 500 layers there is room, with names relative to {@code layers}. */
    static void mountByOptions(Snapshot snapshot, Path layers, Path target, MountOptions options)
            throws LinuxException {
        String lower = snapshot.lower().stream().map(path -> layers.relativize(path).toString())
                .collect(Collectors.joining(":"));
        mountByOptions(layers, text(lower, layers.relativize(snapshot.upper()),
                layers.relativize(snapshot.work()), options), target, options.readOnly());
    }

    /** {@code mount(2)}, which takes one page of options. */
    private static void mountByOptions(Path directory, String text, Path target, boolean readOnly)
            throws LinuxException {
        WorkingDirectory.with(directory, () -> Mounts.mount(SOURCE, target.toAbsolutePath(), "overlay",
                readOnly ? Set.of(MountFlag.READ_ONLY) : Set.of(), text));
    }

    private static String text(String lower, Path upper, Path work, MountOptions options) {
        // Quoted: categories are separated by commas.
        return "lowerdir=" + lower + ",upperdir=" + escaped(upper) + ",workdir=" + escaped(work)
                + options.selinuxContext().map(label -> ",context=\"" + label + "\"").orElse("");
    }

    /** Commas end an option. */
    private static String escaped(Path path) {
        return path.toString().replace("\\", "\\\\").replace(",", "\\,");
    }
}
