package io.berth.imagestore.archive;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.LayerLimits;
import io.berth.imagestore.unpack.LayerUnpacker;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** A file or directory that holds images. */
public final class Archives implements AutoCloseable {
    private final LayoutDirectory directory;
    private final List<ArchivedImage> images;

    private Archives(LayoutDirectory directory, List<ArchivedImage> images) {
        this.directory = directory;
        this.images = List.copyOf(images);
    }

    /**
     * Opens an OCI image layout (directory, or tar of one) or what {@code docker save} writes. A tar may be compressed.
     *
     * @param scratch an empty directory, into which a tar is unpacked
     * @throws ImageException NOT_FOUND, INVALID (it is none of these), CORRUPT, UNSUPPORTED, NO_SPACE
     */
    public static Archives open(Path fileOrDirectory, Path scratch) throws ImageException {
        Path layout = fileOrDirectory;
        if (!Files.exists(fileOrDirectory)) {
            throw new ImageException(Kind.NOT_FOUND,
                    "there is no file or directory " + fileOrDirectory + " to import");
        }
        if (!Files.isDirectory(fileOrDirectory)) {
            unpack(fileOrDirectory, scratch);
            layout = scratch;
        }
        LayoutDirectory directory = new LayoutDirectory(layout);
        try {
            return new Archives(directory, read(directory, fileOrDirectory));
        } catch (ImageException | RuntimeException e) {
            directory.close();
            throw e;
        }
    }

    /** Its images, for this platform, at least one. */
    public List<ArchivedImage> images() {
        return images;
    }

    @Override
    public void close() {
        directory.close();
    }

    private static void unpack(Path file, Path scratch) throws ImageException {
        try {
            new LayerUnpacker(LayerLimits.DEFAULT).unpackArchive(Files.newInputStream(file), scratch);
        } catch (ImageException e) {
            throw new ImageException(e.kind(), "cannot import " + file + ": " + e.getMessage(), e);
        } catch (IOException e) {
            throw new ImageException(Kind.INTERNAL, "cannot read " + file + ": " + e, e);
        }
    }

    private static List<ArchivedImage> read(LayoutDirectory directory, Path origin) throws ImageException {
        List<ArchivedImage> images;
        if (directory.has("index.json")) {
            images = new OciLayout(directory).images();
        } else if (directory.has("manifest.json")) {
            images = new DockerArchive(directory).images();
        } else {
            throw new ImageException(Kind.INVALID,
                    origin + " is no image: it has neither index.json (an OCI layout)"
                            + " nor manifest.json (written by docker save)");
        }
        if (images.isEmpty()) {
            throw new ImageException(Kind.NOT_FOUND, origin + " holds no image for this platform");
        }
        return images;
    }
}
