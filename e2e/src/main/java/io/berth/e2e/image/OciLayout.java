package io.berth.e2e.image;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;

/** An image as an OCI layout, in a directory or in a tar file. */
public final class OciLayout {
    static final String INDEX_TYPE = "application/vnd.oci.image.index.v1+json";

    private OciLayout() {}

    /** Writes {@code image}, named {@code reference}, into {@code directory}. */
    public static void writeDirectory(Path directory, TestImage image, String reference) throws IOException {
        for (Map.Entry<String, byte[]> file : files(image, reference).entrySet()) {
            Path path = directory.resolve(file.getKey());
            Files.createDirectories(path.getParent());
            Files.write(path, file.getValue());
        }
    }

    /** Writes {@code image}, named {@code reference}, into the tar {@code archive}. */
    public static void writeArchive(Path archive, TestImage image, String reference) throws IOException {
        try (var tar = new TarArchiveOutputStream(Files.newOutputStream(archive))) {
            tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
            for (Map.Entry<String, byte[]> file : files(image, reference).entrySet()) {
                var entry = new TarArchiveEntry(file.getKey());
                entry.setSize(file.getValue().length);
                tar.putArchiveEntry(entry);
                tar.write(file.getValue());
                tar.closeArchiveEntry();
            }
        }
    }

    private static Map<String, byte[]> files(TestImage image, String reference) {
        var files = new LinkedHashMap<String, byte[]>();
        files.put("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}".getBytes(StandardCharsets.UTF_8));
        ObjectNode index = TestImage.JSON.createObjectNode().put("schemaVersion", 2).put("mediaType",
                INDEX_TYPE);
        ObjectNode manifest = TestImage.descriptor(image.mediaType(), image.manifest());
        manifest.putObject("annotations").put("org.opencontainers.image.ref.name", reference);
        index.putArray("manifests").add(manifest);
        files.put("index.json", TestImage.json(index));
        files.put(path(image.manifest()), image.manifest().bytes());
        image.blobs().forEach(blob -> files.put(path(blob), blob.bytes()));
        return files;
    }

    private static String path(Blob blob) {
        return "blobs/" + blob.digest().replace(':', '/');
    }
}
