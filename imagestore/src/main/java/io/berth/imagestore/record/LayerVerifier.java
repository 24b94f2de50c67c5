package io.berth.imagestore.record;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.linux.DirectoryListing;
import io.berth.linux.Fd;
import io.berth.linux.FileTree;
import io.berth.linux.LinuxException;
import io.berth.linux.Openat;
import io.berth.linux.Stat;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HexFormat;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Compares every file of a layer with its record: type, mode, owner, size, time, attributes, links, devices, content; and
 * looks for files that the record does not have. Each file's CRC-32C tells which one has other content; that all of them are
 * right is proven by the SHA-256 of the tar, which is made again on the way and must be the layer's diff id.
 */
public final class LayerVerifier {
    private final Path layer;
    private final RecordFiles files;
    private final String recordDigest;
    private final String diffId;

    /** What was looked at. */
    public record Verified(long files, long bytes, long differences) {}

    /**
     * @param recordDigest what the record's own digest must be
     * @param diffId what the digest of the layer's tar must be
     */
    public LayerVerifier(Path layer, RecordFiles files, String recordDigest, String diffId) {
        this.layer = layer;
        this.files = files;
        this.recordDigest = recordDigest;
        this.diffId = diffId;
    }

    /**
     * Compares, and tells each difference to {@code sink}. A file that cannot be read is one.
     *
     * @throws ImageException CANCELLED where the calling thread was interrupted
     */
    public Verified verify(Consumer<Difference> sink) throws ImageException {
        DisplacedFiles displaced;
        try (RecordReader record = new RecordReader(files.record(), recordDigest)) {
            displaced = DisplacedFiles.of(record);
        } catch (ImageException e) {
            sink.accept(Difference.ofLayer(String.valueOf(e.getMessage())));
            return new Verified(0, 0, 1);
        }
        try (RecordReader record = new RecordReader(files.record(), recordDigest);
                Pass pass = new Pass(displaced, sink)) {
            return pass.run(record);
        } catch (ImageException e) {
            throw e;
        } catch (IOException e) {
            sink.accept(Difference.ofLayer("cannot be read: " + e.getMessage()));
            return new Verified(0, 0, 1);
        }
    }

    /** One comparison. */
    private final class Pass implements AutoCloseable {
        private final DisplacedFiles displaced;
        private final Consumer<Difference> sink;
        private final LayerTree tree;
        private final @Nullable LayerTree displacedTree;
        private final AttributeCheck attributes;
        private final FileContent content = new FileContent();
        private final MessageDigest tar = RecordWriter.sha256();
        private final PathSet known = new PathSet();
        /** Whether the digest of the tar can still come out right. */
        private boolean tarIsWhole = true;
        private long checked;
        private long differences;

        Pass(DisplacedFiles displaced, Consumer<Difference> sink) throws LinuxException {
            this.displaced = displaced;
            this.sink = sink;
            this.tree = new LayerTree(layer);
            this.attributes = new AttributeCheck(tree, this::differs);
            try {
                this.displacedTree = Files.isDirectory(files.displaced())
                        ? new LayerTree(files.displaced())
                        : null;
            } catch (LinuxException e) {
                tree.close();
                throw e;
            }
        }

        Verified run(RecordReader record) throws IOException {
            RecordItem item;
            for (long number = 1; (item = record.next()) != null; number++) {
                if (Thread.currentThread().isInterrupted()) {
                    throw new ImageException(Kind.CANCELLED, "the verification was cancelled");
                }
                check(item, number);
            }
            String found = "sha256:" + HexFormat.of().formatHex(tar.digest());
            if (tarIsWhole && !found.equals(diffId)) {
                differs(Difference.ofLayer("the files make a tar with the digest " + found
                        + ", the layer's diff id is " + diffId
                        + ": content was changed so that its checksum stayed"));
            }
            findExtra();
            return new Verified(checked, content.bytesRead(), differences);
        }

        private void check(RecordItem item, long number) throws IOException {
            switch (item) {
                case RecordItem.Tar it -> tar.update(it.bytes());
                case RecordItem.Displaced it -> {
                    // Told by placeOf.
                }
                case RecordItem.Made it -> {
                    String place = displaced.placeOf(number, it.path());
                    if (place == null) {
                        inPlace(it, number);
                    } else if (it instanceof RecordItem.File file) {
                        displacedContent(file, place);
                    }
                }
                case RecordItem.Directory it -> ended(it.path(),
                        stat -> attributes.directory(it.path(), stat, it.attributes(), it.opaque()));
                case RecordItem.Implied it -> ended(it.path(), stat -> attributes.directory(it.path(), stat,
                        null, it.opaque()));
                case RecordItem.Whiteout it -> ended(it.path(),
                        stat -> attributes.isType(it.path(), stat, Openat.S_IFCHR, 0, 0));
            }
        }

        @FunctionalInterface
        private interface Check {
            void of(Stat stat) throws LinuxException;
        }

        private void ended(String path, Check check) {
            known.add(path);
            checked++;
            try {
                Stat stat = tree.stat(path);
                if (stat == null) {
                    differs(Difference.at(path, "missing"));
                } else {
                    check.of(stat);
                }
            } catch (LinuxException e) {
                differs(Difference.at(path, "cannot be read: " + e.getMessage()));
            }
        }

        private void inPlace(RecordItem.Made made, long number) throws IOException {
            boolean[] readable = {false};
            ended(made.path(), stat -> {
                switch (made) {
                    case RecordItem.File file -> readable[0] = attributes.file(file, stat);
                    case RecordItem.Symlink link -> attributes.symlink(link, stat);
                    case RecordItem.Node node -> attributes.node(node, stat);
                    case RecordItem.HardLink link -> hardLink(link, stat, number);
                }
            });
            if (made instanceof RecordItem.File file) {
                if (readable[0]) {
                    content(file, tree, file.path());
                } else {
                    tarIsWhole = false;
                }
            }
        }

        /** The target is as the record had it when the link was made: it may have been displaced since. */
        private void hardLink(RecordItem.HardLink link, Stat stat, long number) throws LinuxException {
            String place = displaced.placeOf(number, link.target());
            Stat target = place == null
                    ? tree.stat(link.target())
                    : displacedTree == null ? null : displacedTree.stat(place);
            // A missing target is told where it was recorded.
            if (target != null && target.inode() != stat.inode()) {
                differs(Difference.at(link.path(),
                        "is a file of its own, recorded as a hard link to " + link.target()));
            }
        }

        private void displacedContent(RecordItem.File file, String place) throws IOException {
            if (displacedTree == null || displacedTree.stat(place) == null) {
                tarIsWhole = false;
                differs(Difference.at(file.path(), "an earlier file of this name, kept beside the record"
                        + " for exports, is missing"));
                return;
            }
            content(file, displacedTree, place);
        }

        private void content(RecordItem.File file, LayerTree of, String place) throws IOException {
            FileContent.Comparison comparison;
            try (Fd fd = of.open(place)) {
                comparison = content.read(fd, file, (bytes, length) -> tar.update(bytes, 0, length));
            } catch (LinuxException e) {
                tarIsWhole = false;
                differs(Difference.at(file.path(), "cannot be read: " + e.getMessage()));
                return;
            }
            tarIsWhole &= comparison == FileContent.Comparison.SAME;
            switch (comparison) {
                case SAME -> {
                }
                case OTHER_BYTES, BYTES_IN_HOLE ->
                    differs(Difference.at(file.path(), "its content was changed"));
                case TOO_SHORT -> differs(Difference.at(file.path(), "its content is cut off"));
            }
        }

        private void findExtra() throws ImageException {
            Deque<String> directories = new ArrayDeque<>();
            directories.push("");
            while (!directories.isEmpty()) {
                if (Thread.currentThread().isInterrupted()) {
                    throw new ImageException(Kind.CANCELLED, "the verification was cancelled");
                }
                String directory = directories.pop();
                try (Fd fd = tree.openDirectory(directory)) {
                    DirectoryListing listing = new DirectoryListing(fd);
                    for (FileTree.Entry entry; (entry = listing.next()) != null;) {
                        String name = new String(entry.name().toBytes(),
                                StandardCharsets.ISO_8859_1);
                        String path = directory.isEmpty() ? name : directory + "/" + name;
                        if (!known.contains(path)) {
                            differs(Difference.at(path, "is not recorded; something has put it here"));
                        } else if (entry.directory()) {
                            directories.push(path);
                        }
                    }
                } catch (LinuxException e) {
                    differs(Difference.at(directory, "cannot be listed: " + e.getMessage()));
                }
            }
        }

        private void differs(Difference difference) {
            differences++;
            sink.accept(difference);
        }

        @Override
        public void close() {
            tree.close();
            if (displacedTree != null) {
                displacedTree.close();
            }
        }
    }
}
