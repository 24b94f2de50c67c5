package io.berth.imagestore.unpack;

import com.github.luben.zstd.RecyclingBufferPool;
import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import io.airlift.compress.v3.zstd.ZstdInputStream;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** Uncompressed megabytes (2^20) a second of the decompressors that could be used, into buffers of several sizes. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@OperationsPerInvocation(Sample.BYTES >> 20)
@Warmup(iterations = 2, time = 2)
@Measurement(iterations = 3, time = 2)
@Fork(1)
public class DecompressionBenchmark {
    @Param({"16384", "65536", "262144"})
    private int bufferBytes;

    private byte[] gzip = {};
    private byte[] zstd = {};
    private byte[] buffer = {};

    @Setup
    public void pack() throws IOException {
        byte[] plain = Sample.plain();
        gzip = Sample.gzip(plain);
        zstd = Sample.zstd(plain);
        buffer = new byte[bufferBytes];
    }

    /** What Berth uses: the JDK's inflater. */
    @Benchmark
    public long gzipOfBerth() throws IOException {
        return drain(new Gunzip(new ByteArrayInputStream(gzip)));
    }

    @Benchmark
    public long gzipOfJdk() throws IOException {
        return drain(new GZIPInputStream(new ByteArrayInputStream(gzip), bufferBytes));
    }

    @Benchmark
    public long gzipOfCommonsCompress() throws IOException {
        return drain(new GzipCompressorInputStream(new ByteArrayInputStream(gzip), true));
    }

    /** What Berth uses: the reference implementation. */
    @Benchmark
    public long zstdOfZstdJni() throws IOException {
        return drain(new ZstdInputStreamNoFinalizer(new ByteArrayInputStream(zstd), RecyclingBufferPool.INSTANCE));
    }

    @Benchmark
    public long zstdOfAircompressor() throws IOException {
        return drain(new ZstdInputStream(new ByteArrayInputStream(zstd)));
    }

    private long drain(InputStream stream) throws IOException {
        long total = 0;
        try (stream) {
            for (int count; (count = stream.read(buffer, 0, buffer.length)) > 0;) {
                total += count;
            }
        }
        return total;
    }
}
