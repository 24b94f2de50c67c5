package io.berth.e2e.image;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** Bytes and their digest. */
public final class Blob {
    private final byte[] bytes;
    private final String digest;

    public Blob(byte[] bytes) {
        this.bytes = bytes;
        this.digest = sha256(bytes);
    }

    public byte[] bytes() {
        return bytes;
    }

    /** {@code sha256:...}. */
    public String digest() {
        return digest;
    }

    public int size() {
        return bytes.length;
    }

    static String sha256(byte[] bytes) {
        try {
            return "sha256:" + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }
}
