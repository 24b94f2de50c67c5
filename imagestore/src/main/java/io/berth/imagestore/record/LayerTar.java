package io.berth.imagestore.record;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.linux.Fd;
import io.berth.linux.LinuxException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;

/** Makes a layer's tar again, every bit as it was unpacked. */
public final class LayerTar {
    private final Path layer;
    private final RecordFiles files;
    private final String recordDigest;
    private final String diffId;

    /** As {@link LayerVerifier}. */
    public LayerTar(Path layer, RecordFiles files, String recordDigest, String diffId) {
        this.layer = layer;
        this.files = files;
        this.recordDigest = recordDigest;
        this.diffId = diffId;
    }

    /** Bytes of the tar; its content is not read for that. */
    public long size() throws ImageException {
        try (RecordReader record = new RecordReader(files.record(), recordDigest)) {
            long size = 0;
            for (RecordItem item; (item = record.next()) != null;) {
                size += switch (item) {
                    case RecordItem.Tar tar -> tar.bytes().length;
                    case RecordItem.File file -> file.extents().stream()
                            .mapToLong(RecordItem.Extent::length).sum();
                    default -> 0;
                };
            }
            return size;
        }
    }

    /**
     * Writes the tar.
     *
     * @throws ImageException CORRUPT where a file of the layer was changed, so that the diff id does not come out; what was
     *     written until then is worthless
     * @throws IOException of {@code out}
     */
    public void writeTo(OutputStream out) throws IOException {
        DisplacedFiles displaced;
        try (RecordReader record = new RecordReader(files.record(), recordDigest)) {
            displaced = DisplacedFiles.of(record);
        }
        MessageDigest hash = RecordWriter.sha256();
        FileContent.Sink sink = (bytes, length) -> {
            hash.update(bytes, 0, length);
            out.write(bytes, 0, length);
        };
        FileContent content = new FileContent();
        try (RecordReader record = new RecordReader(files.record(), recordDigest);
                LayerTree tree = new LayerTree(layer);
                LayerTree displacedTree = new LayerTree(
                        Files.isDirectory(files.displaced()) ? files.displaced() : layer)) {
            RecordItem item;
            for (long number = 1; (item = record.next()) != null; number++) {
                switch (item) {
                    case RecordItem.Tar tar -> sink.accept(tar.bytes(), tar.bytes().length);
                    case RecordItem.File file -> {
                        String place = displaced.placeOf(number, file.path());
                        copy(file, place == null ? tree : displacedTree,
                                place == null ? file.path() : place, content, sink);
                    }
                    default -> {
                        // What is made without content is in the tar's headers.
                    }
                }
            }
        }
        String found = "sha256:" + HexFormat.of().formatHex(hash.digest());
        if (!found.equals(diffId)) {
            throw damaged("its files make a tar with the digest " + found);
        }
    }

    private void copy(RecordItem.File file, LayerTree tree, String place, FileContent content,
            FileContent.Sink sink) throws IOException {
        try (Fd fd = tree.open(place)) {
            FileContent.Comparison comparison = content.read(fd, file, sink);
            if (comparison != FileContent.Comparison.SAME) {
                throw damaged(Difference.at(file.path(), "its content was changed").toString());
            }
        } catch (LinuxException e) {
            throw damaged(Difference.at(file.path(), "it cannot be read (" + e.getMessage() + ")")
                    .toString());
        }
    }

    private ImageException damaged(String what) {
        return new ImageException(Kind.CORRUPT, "layer " + diffId + " is damaged: " + what
                + "; \"berth image verify --repair\" fetches it again");
    }
}
