package io.berth.imagestore.unpack;

import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
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

/** Megabytes (2^20) a second of the digests that a layer's bytes go through, by the size of the pieces. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@OperationsPerInvocation(Sample.BYTES >> 20)
@Warmup(iterations = 2, time = 2)
@Measurement(iterations = 3, time = 2)
@Fork(1)
public class DigestBenchmark {
    @Param({"16384", "65536", "262144"})
    private int pieceBytes;

    private byte[] plain = {};

    @Setup
    public void fill() {
        plain = Sample.plain();
    }

    @Benchmark
    public byte[] sha256() throws GeneralSecurityException {
        return digest("SHA-256");
    }

    @Benchmark
    public byte[] sha512() throws GeneralSecurityException {
        return digest("SHA-512");
    }

    @Benchmark
    public long crc32() {
        CRC32 crc = new CRC32();
        for (int at = 0; at < plain.length; at += pieceBytes) {
            crc.update(plain, at, pieceBytes);
        }
        return crc.getValue();
    }

    @Benchmark
    public long crc32c() {
        CRC32C crc = new CRC32C();
        for (int at = 0; at < plain.length; at += pieceBytes) {
            crc.update(plain, at, pieceBytes);
        }
        return crc.getValue();
    }

    private byte[] digest(String algorithm) throws GeneralSecurityException {
        MessageDigest digest = MessageDigest.getInstance(algorithm);
        for (int at = 0; at < plain.length; at += pieceBytes) {
            digest.update(plain, at, pieceBytes);
        }
        return digest.digest();
    }
}
