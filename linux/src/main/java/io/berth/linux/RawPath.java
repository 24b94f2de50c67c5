package io.berth.linux;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;

/** A path or file name as the kernel has it: bytes that are not zero, in no promised encoding. */
public final class RawPath {
    /** Zero-terminated, ready for a system call. */
    private final byte[] terminated;

    private RawPath(byte[] terminated) {
        this.terminated = terminated;
    }

    /** Copies {@code length} bytes. Throws {@link IllegalArgumentException} where one of them is zero. */
    public static RawPath of(byte[] bytes, int offset, int length) {
        byte[] copy = new byte[length + 1];
        System.arraycopy(bytes, offset, copy, 0, length);
        for (int i = 0; i < length; i++) {
            if (copy[i] == 0) {
                throw new IllegalArgumentException("path has a zero byte: " + new RawPath(copy));
            }
        }
        return new RawPath(copy);
    }

    /** The UTF-8 form of {@code path}. */
    public static RawPath of(String path) {
        byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
        return of(bytes, 0, bytes.length);
    }

    /** The UTF-8 form of {@code path}. */
    public static RawPath of(Path path) {
        return of(path.toString());
    }

    /** Bytes without the final zero. */
    public int length() {
        return terminated.length - 1;
    }

    /** A copy of the bytes. */
    public byte[] toBytes() {
        return Arrays.copyOf(terminated, terminated.length - 1);
    }

    byte[] terminated() {
        return terminated;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof RawPath path && Arrays.equals(terminated, path.terminated);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(terminated);
    }

    /** For people: read as UTF-8, what is none replaced. */
    @Override
    public String toString() {
        return new String(terminated, 0, terminated.length - 1, StandardCharsets.UTF_8);
    }
}
