package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * A content digest (OCI image-spec, "Digests").
 *
 * @param algorithm sha256 or sha512
 * @param hex lower case, 64 or 128 digits
 */
public record Digest(String algorithm, String hex) {
    /** @throws ImageException INVALID, saying what is wrong with {@code text} */
    public static Digest parse(String text) throws ImageException {
        int colon = text.indexOf(':');
        if (colon < 1) {
            throw invalid(text, "it has no algorithm; expected sha256:<64 hex digits>");
        }
        String algorithm = text.substring(0, colon);
        String hex = text.substring(colon + 1);
        int expected = switch (algorithm) {
            case "sha256" -> 64;
            case "sha512" -> 128;
            default -> throw invalid(text, "algorithm " + algorithm + " is not sha256 or sha512");
        };
        if (hex.length() != expected) {
            throw invalid(text, algorithm + " has " + expected + " hex digits, this has " + hex.length());
        }
        if (!hex.chars().allMatch(c -> (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            throw invalid(text, "it must be lower case hex digits");
        }
        return new Digest(algorithm, hex);
    }

    /** The digest of {@code content}, by {@code algorithm}. */
    public static Digest of(String algorithm, byte[] content) {
        return new Digest(algorithm, HexFormat.of().formatHex(hasher(algorithm).digest(content)));
    }

    /** A fresh hash of this digest's algorithm. */
    public MessageDigest hasher() {
        return hasher(algorithm);
    }

    /** Whether {@code content} has this digest. */
    public boolean matches(byte[] content) {
        return equals(of(algorithm, content));
    }

    @Override
    public String toString() {
        return algorithm + ":" + hex;
    }

    private static MessageDigest hasher(String algorithm) {
        try {
            return MessageDigest.getInstance(algorithm.equals("sha512") ? "SHA-512" : "SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-256 and SHA-512", e);
        }
    }

    private static ImageException invalid(String text, String why) {
        return new ImageException(ImageException.Kind.INVALID, "invalid digest \"" + text + "\": " + why);
    }
}
