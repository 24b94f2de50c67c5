package io.berth.runtime.oci;

import io.berth.cri.v1.IDMapping;
import io.berth.cri.v1.Mount;
import io.berth.cri.v1.MountPropagation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Turns CRI {@code Mount}s into OCI bind mounts, and refuses what they cannot mean. */
final class RequestedMounts {
    /** The flags that a bind mount can have by itself; anything else belongs to the filesystem that is bound. */
    private static final Set<String> FLAGS = Set.of("nosuid", "suid", "nodev", "dev", "noexec", "exec",
            "noatime",
            "atime", "nodiratime", "diratime", "relatime", "norelatime", "strictatime", "nostrictatime",
            "nosymfollow");

    private final SpecInput input;

    RequestedMounts(SpecInput input) {
        this.input = input;
    }

    /** @throws OciException INVALID or UNSUPPORTED naming the field and the mount */
    OciMount of(Mount mount) throws OciException {
        Path destination = destination(mount);
        boolean image = mount.hasImage();
        Path source = image ? imageSource(mount) : hostSource(mount);
        String access = access(mount, image);
        List<String> options = new ArrayList<>(List.of("rbind", propagation(mount, source), access));
        for (String option : mount.getMountOptionsList()) {
            if (!FLAGS.contains(option)) {
                throw invalid(mount, "mount_options", "\"" + option
                        + "\" cannot be given to a bind mount; it takes " + String.join(", ", sorted(FLAGS)));
            }
            options.add(option);
        }
        checkMappings(mount);
        // An image volume is mounted with its mappings already.
        return new OciMount("bind", source.toString(), destination, options,
                image ? List.of() : mount.getUidMappingsList(),
                image ? List.of() : mount.getGidMappingsList());
    }

    private static Path destination(Mount mount) throws OciException {
        String text = mount.getContainerPath();
        if (!text.startsWith("/")) {
            throw invalid(mount, "container_path", "is not an absolute path");
        }
        Path destination = path(mount, "container_path", text).normalize();
        if (destination.getNameCount() == 0) {
            throw invalid(mount, "container_path", "would cover the container's root");
        }
        return destination;
    }

    private static Path hostSource(Mount mount) throws OciException {
        String text = mount.getHostPath();
        if (!mount.getImageSubPath().isEmpty()) {
            throw invalid(mount, "image_sub_path", "is set without an image");
        }
        if (!text.startsWith("/")) {
            throw invalid(mount, "host_path", text.isEmpty()
                    ? "is empty and no image is set"
                    : "\"" + text + "\" is not an absolute path");
        }
        try {
            // The OCI runtime binds what the link leads to; a later change of the link must not lead elsewhere.
            return path(mount, "host_path", text).toRealPath();
        } catch (IOException e) {
            throw Files.exists(Path.of(text))
                    ? new OciException(OciException.Kind.FAILED,
                            "resolve mount source " + text + ": " + e.getMessage(), e)
                    : invalid(mount, "host_path",
                            text + " does not exist on this node; create it, or have the volume"
                                    + " do so (hostPath type DirectoryOrCreate)");
        }
    }

    private Path imageSource(Mount mount) throws OciException {
        if (!mount.getHostPath().isEmpty()) {
            throw invalid(mount, "host_path", "excludes image; set one of them");
        }
        Path source = input.imageVolumes().get(mount);
        if (source == null) {
            throw new IllegalStateException(
                    "the image volume at " + mount.getContainerPath() + " is not mounted");
        }
        return source;
    }

    private String access(Mount mount, boolean image) throws OciException {
        if (!mount.getRecursiveReadOnly()) {
            return mount.getReadonly() || image ? "ro" : "rw";
        }
        if (!mount.getReadonly()) {
            throw invalid(mount, "recursive_read_only", "needs readonly");
        }
        if (mount.getPropagation() != MountPropagation.PROPAGATION_PRIVATE) {
            throw invalid(mount, "recursive_read_only",
                    "needs PROPAGATION_PRIVATE, not " + mount.getPropagation());
        }
        if (!input.features().recursiveReadOnlyMounts()) {
            throw OciException.unsupported("mounts.recursive_read_only",
                    "this runtime handler or kernel cannot do it; see Status.runtime_handlers");
        }
        return "rro";
    }

    private String propagation(Mount mount, Path source) throws OciException {
        return switch (mount.getPropagation()) {
            case PROPAGATION_PRIVATE -> "rprivate";
            case PROPAGATION_HOST_TO_CONTAINER -> {
                HostMount host = HostMount.holding(source);
                if (!host.shared() && !host.slave()) {
                    throw invalid(mount, "propagation",
                            "needs a shared or slave mount, but " + host.mountPoint()
                                    + " is private; run: mount --make-rshared " + host.mountPoint());
                }
                yield "rslave";
            }
            case PROPAGATION_BIDIRECTIONAL -> {
                if (NamespaceSection.hasUserNamespace(input)) {
                    throw invalid(mount, "propagation",
                            "is PROPAGATION_BIDIRECTIONAL, but no mount gets out of "
                                    + "a pod with a user namespace of its own; use PROPAGATION_HOST_TO_CONTAINER");
                }
                HostMount host = HostMount.holding(source);
                if (!host.shared()) {
                    throw invalid(mount, "propagation", "needs a shared mount, but " + host.mountPoint()
                            + " is not shared; run: mount --make-rshared " + host.mountPoint());
                }
                yield "rshared";
            }
            case UNRECOGNIZED -> throw invalid(mount, "propagation",
                    "unknown value " + mount.getPropagationValue());
        };
    }

    private static void checkMappings(Mount mount) throws OciException {
        boolean uids = mount.getUidMappingsCount() > 0;
        if (uids != (mount.getGidMappingsCount() > 0)) {
            throw invalid(mount, "uidMappings", "and gidMappings need each other");
        }
        checkRanges(mount, "uidMappings", mount.getUidMappingsList());
        checkRanges(mount, "gidMappings", mount.getGidMappingsList());
    }

    private static void checkRanges(Mount mount, String field, List<IDMapping> mappings)
            throws OciException {
        for (IDMapping mapping : mappings) {
            if (mapping.getLength() == 0) {
                throw invalid(mount, field, "has a range of length 0");
            }
        }
    }

    private static Path path(Mount mount, String field, String text) throws OciException {
        try {
            return Path.of(text);
        } catch (InvalidPathException e) {
            throw invalid(mount, field, "holds a NUL byte");
        }
    }

    private static List<String> sorted(Set<String> values) {
        return values.stream().sorted().toList();
    }

    private static OciException invalid(Mount mount, String field, String why) {
        return OciException.invalid("mounts." + field,
                "mount at \"" + mount.getContainerPath() + "\": " + why);
    }
}
