package io.berth.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileTreeTest {
    @TempDir
    private Path folder;

    @Test
    void deletesATreeThatIsDeeperThanAnyPathCanBe() throws Exception {
        try (Fd parent = open(folder)) {
            Openat.mkdir(parent, RawPath.of("top"), 0755);
            Fd current = Openat.open(parent, RawPath.of("top"), OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY,
                    0);
            int depth = 3000;
            for (int i = 0; i < depth; i++) {
                Openat.mkdir(current, RawPath.of("d"), 0755);
                Fd next = Openat.open(current, RawPath.of("d"), OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY,
                        0);
                current.close();
                current = next;
            }
            current.close();

            assertThat(FileTree.measure(RawPath.of(folder.resolve("top"))).inodes()).isEqualTo(depth + 1);
            assertThat(FileTree.delete(parent, RawPath.of("top"))).isEqualTo(depth + 1);
        }

        assertThat(folder.resolve("top")).doesNotExist();
    }

    @Test
    void aDirectoryOfManyNamesIsReadAndDeletedPieceByPiece() throws Exception {
        Path many = Files.createDirectory(folder.resolve("many"));
        Set<String> names = new HashSet<>();
        for (int i = 0; i < 3000; i++) {
            names.add("name-" + i);
            Files.createFile(many.resolve("name-" + i));
        }
        try (Fd parent = open(folder); Fd directory = open(many)) {
            DirectoryListing listing = new DirectoryListing(directory, 512);
            Set<String> listed = new HashSet<>();
            for (FileTree.Entry entry; (entry = listing.next()) != null;) {
                listed.add(entry.name().toString());
            }

            assertThat(listed).isEqualTo(names);
            assertThat(FileTree.measure(RawPath.of(many)).inodes()).isEqualTo(3001);
            assertThat(FileTree.delete(parent, RawPath.of("many"))).isEqualTo(3001);
        }
    }

    @Test
    void deletesNamesThatAreNoTextAndFollowsNoLink() throws Exception {
        Path outside = Files.createDirectory(folder.resolve("outside"));
        Files.createFile(outside.resolve("kept"));
        Path tree = Files.createDirectory(folder.resolve("tree"));
        Files.createSymbolicLink(tree.resolve("link"), outside);
        byte[] latin = "gr\u00fcn".getBytes(StandardCharsets.ISO_8859_1);
        try (Fd parent = open(folder); Fd directory = open(tree)) {
            Openat.mkdir(directory, RawPath.of(latin, 0, latin.length), 0755);

            assertThat(FileTree.delete(parent, RawPath.of("tree"))).isEqualTo(3);
            assertThat(FileTree.delete(parent, RawPath.of("tree"))).isZero();
        }
        assertThat(outside.resolve("kept")).exists();
    }

    @Test
    void countsAFileWithTwoNamesOnce() throws Exception {
        Path file = Files.write(folder.resolve("a"), new byte[100_000]);
        Files.createLink(folder.resolve("b"), file);

        FileTree.Size size = FileTree.measure(RawPath.of(folder));

        assertThat(size.inodes()).isEqualTo(2);
        assertThat(size.bytes()).isBetween(100_000L, 120_000L);
    }

    private static Fd open(Path path) throws LinuxException {
        return Openat.open(RawPath.of(path), OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY);
    }
}
