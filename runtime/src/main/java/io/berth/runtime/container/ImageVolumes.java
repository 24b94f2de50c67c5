package io.berth.runtime.container;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.Mount;
import io.berth.imagestore.Image;
import io.berth.imagestore.Images;
import io.berth.imagestore.Snapshots;
import io.berth.imagestore.Snapshots.MountOptions;
import io.berth.linux.Errno;
import io.berth.linux.Fd;
import io.berth.linux.IdMaps;
import io.berth.linux.LinuxException;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.sandbox.UserNamespaces;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * Images that a container mounts as volumes. Each has a snapshot of its own, which holds the image's layers until the container
 * is removed, whatever happens to the image.
 */
final class ImageVolumes {
    private static final String MARK = ".image-";

    private final Images images;
    private final Snapshots snapshots;

    ImageVolumes(Images images, Snapshots snapshots) {
        this.images = images;
        this.snapshots = snapshots;
    }

    /**
     * Mounts the image of each image volume below {@code directory}, read-only.
     *
     * @param selinuxContext what all files in them have
     * @return what each of them shows: the image's root, or the sub path
     * @throws LifecycleException NOT_FOUND for an image that is not on this node, INVALID for a sub path that is no directory of
     *         the image
     */
    Map<Mount, Path> mount(String containerId, List<Mount> mounts, Path directory, PodIds ids,
            Optional<String> selinuxContext) throws IOException, LifecycleException {
        Map<Mount, Path> shown = new HashMap<>();
        for (Mount mount : mounts) {
            if (mount.hasImage() && !shown.containsKey(mount)) {
                check(mount);
                Path root = directory.resolve("image-" + shown.size());
                mount(containerId + MARK + shown.size(), mount, root, ids, selinuxContext);
                shown.put(mount, mount.getImageSubPath().isEmpty() ? root : below(root, mount));
            }
        }
        return shown;
    }

    /** The same request with the id of each image that a volume is made of ({@code image_ref}), as the status tells it. */
    ContainerConfig resolved(ContainerConfig config) {
        return withImageRefs(config,
                mount -> images.find(mount.getImage().getImage()).map(Image::id).orElse(""));
    }

    /** The same configuration without what {@link #resolved} has added. */
    static ContainerConfig asRequested(ContainerConfig config) {
        return withImageRefs(config, mount -> "");
    }

    private static ContainerConfig withImageRefs(ContainerConfig config, Function<Mount, String> imageRef) {
        ContainerConfig.Builder changed = config.toBuilder();
        for (Mount.Builder mount : changed.getMountsBuilderList()) {
            if (mount.hasImage()) {
                String ref = imageRef.apply(mount.build());
                mount.getImageBuilder().setImageRef(ref);
            }
        }
        return changed.build();
    }

    /** Deletes the snapshots of a container's image volumes, which must be unmounted. */
    void remove(String containerId) throws IOException {
        for (String key : snapshots.keys()) {
            if (key.startsWith(containerId + MARK)) {
                snapshots.remove(key);
            }
        }
    }

    /** The container to which the snapshot {@code key} belongs. */
    static String container(String key) {
        int mark = key.indexOf(MARK);
        return mark < 0 ? key : key.substring(0, mark);
    }

    private static void check(Mount mount) throws LifecycleException {
        if (mount.getImage().getImage().isEmpty()) {
            throw invalid(mount, "image", "names no image");
        }
        if (!mount.getHostPath().isEmpty()) {
            throw invalid(mount, "host_path", "excludes image; set one of them");
        }
        if (!mount.getReadonly()) {
            throw invalid(mount, "readonly", "is false, and an image volume is always read-only; set it");
        }
    }

    private void mount(String key, Mount mount, Path root, PodIds ids, Optional<String> selinuxContext)
            throws IOException, LifecycleException {
        String name = mount.getImage().getImage();
        String ref = mount.getImage().getImageRef();
        Image image = images.find(ref.isEmpty() ? name : ref).orElseThrow(() -> new LifecycleException(
                LifecycleException.Kind.NOT_FOUND, text(mount, "image", "\"" + name
                        + "\" is not on this node; pull it first")));
        Optional<IdMaps> maps = Optional.empty();
        Optional<Fd> namespace = Optional.empty();
        if (mount.getUidMappingsCount() > 0) {
            maps = Optional.of(UserNamespaces.maps(mount.getUidMappingsList(), mount.getGidMappingsList()));
            namespace = Optional.of(ids.namespace(mount.getUidMappingsList(), mount.getGidMappingsList(),
                    text(mount, "uidMappings", "")));
        }
        snapshots.prepare(key, image.id(), maps);
        snapshots.mount(key, root, new MountOptions(true, namespace, selinuxContext));
    }

    /** Neither {@code ..} nor a link in the image leads out of it. An absolute link does: in the container it means another root. */
    private static Path below(Path root, Mount mount) throws IOException, LifecycleException {
        String path = mount.getImageSubPath();
        String inImage = "\"" + path + "\" of image " + mount.getImage().getImage();
        if (path.startsWith("/") || List.of(path.split("/")).contains("..")) {
            throw invalid(mount, "image_sub_path",
                    inImage + " must be relative, and must not contain \"..\"");
        }
        try (Fd top = Openat.open(RawPath.of(root), OpenFlags.O_PATH | OpenFlags.O_DIRECTORY);
                Fd directory = Openat.open(top, RawPath.of(path), OpenFlags.O_PATH | OpenFlags.O_DIRECTORY, 0,
                        OpenFlags.RESOLVE_BENEATH | OpenFlags.RESOLVE_NO_MAGICLINKS)) {
            return Files.readSymbolicLink(Path.of("/proc/self/fd", Integer.toString(directory.number())));
        } catch (LinuxException e) {
            String why = switch (e.errno()) {
                case Errno.ENOENT -> " does not exist";
                case Errno.ENOTDIR -> " is a file, or leads through one; only a directory can be mounted";
                case Errno.EXDEV, Errno.ELOOP ->
                    " is, or leads through, a symbolic link out of the image";
                default -> throw e;
            };
            throw invalid(mount, "image_sub_path", inImage + why);
        }
    }

    private static LifecycleException invalid(Mount mount, String field, String why) {
        return new LifecycleException(LifecycleException.Kind.INVALID, text(mount, field, why));
    }

    private static String text(Mount mount, String field, String why) {
        return "config.mounts." + field + ": mount at \"" + mount.getContainerPath() + "\": " + why;
    }
}
