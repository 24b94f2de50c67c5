package io.berth.imagestore.unpack;

import io.berth.linux.Fd;
import io.berth.linux.FileIo;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.RawPath;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** Microseconds to make one file with its content, in a directory that every invocation has anew (in /dev/shm). */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@OperationsPerInvocation(FileWritingBenchmark.FILES)
@Warmup(iterations = 2, time = 2)
@Measurement(iterations = 3, time = 2)
@Fork(1)
public class FileWritingBenchmark {
    static final int FILES = 100;

    private static final int NEW_FILE = OpenFlags.O_WRONLY | OpenFlags.O_CREAT | OpenFlags.O_EXCL;

    @Param({"4096", "65536", "1048576"})
    private int fileBytes;

    private byte[] content = {};
    private ByteBuffer stage = ByteBuffer.allocateDirect(0);
    private Path directory = Path.of("/dev/shm");

    @Setup
    public void fill() {
        content = new byte[fileBytes];
        stage = ByteBuffer.allocateDirect(fileBytes);
    }

    @Setup(Level.Invocation)
    public void begin() throws IOException {
        directory = Files.createTempDirectory(Path.of("/dev/shm"), "berth-jmh");
    }

    @TearDown(Level.Invocation)
    public void clear() throws IOException {
        for (int i = 0; i < FILES; i++) {
            Files.delete(directory.resolve("f" + i));
        }
        Files.delete(directory);
    }

    /** What Berth uses: openat2(2) below an open directory, write(2) from memory outside of the heap. */
    @Benchmark
    public void openatAndWrite() throws IOException {
        long address = FileIo.address(stage);
        try (Fd root = Openat.open(RawPath.of(directory), OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY)) {
            for (int i = 0; i < FILES; i++) {
                try (Fd file = Openat.open(root, RawPath.of("f" + i), NEW_FILE, 0644)) {
                    stage.put(0, content);
                    FileIo.write(file, address, fileBytes, "f");
                }
            }
        }
    }

    @Benchmark
    public void fileChannel() throws IOException {
        for (int i = 0; i < FILES; i++) {
            try (FileChannel file = FileChannel.open(directory.resolve("f" + i), StandardOpenOption.WRITE,
                    StandardOpenOption.CREATE_NEW)) {
                file.write(ByteBuffer.wrap(content));
            }
        }
    }

    @Benchmark
    public void outputStream() throws IOException {
        for (int i = 0; i < FILES; i++) {
            try (OutputStream file = Files.newOutputStream(directory.resolve("f" + i), StandardOpenOption.CREATE_NEW)) {
                file.write(content);
            }
        }
    }
}
