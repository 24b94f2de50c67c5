package io.berth.imagestore.registry;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Certificates and private keys in PEM files (RFC 7468). */
final class Pem {
    private static final Pattern BLOCK = Pattern
            .compile("-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\\s]*)-----END \\1-----");
    /** AlgorithmIdentifier of rsaEncryption, DER, behind version 0: what PKCS #8 puts before a PKCS #1 key. */
    private static final byte[] RSA_PREFIX = {2, 1, 0, 0x30, 13, 6, 9, 0x2a, (byte) 0x86, 0x48, (byte) 0x86,
            (byte) 0xf7, 13, 1, 1, 1, 5, 0};

    /** AlgorithmIdentifier of rsaEncryption, DER. */
    private static final byte[] RSA_ALGORITHM = {0x30, 13, 6, 9, 0x2a, (byte) 0x86, 0x48, (byte) 0x86,
            (byte) 0xf7, 13, 1, 1, 1, 5, 0};

    private Pem() {}

    /** Every certificate of {@code file}, in its order. */
    static List<Certificate> certificates(Path file) throws IOException, GeneralSecurityException {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        List<Certificate> certificates = new ArrayList<>();
        Matcher block = BLOCK.matcher(Files.readString(file, StandardCharsets.ISO_8859_1));
        while (block.find()) {
            if (block.group(1).equals("CERTIFICATE")) {
                certificates.add(factory.generateCertificate(new ByteArrayInputStream(bytes(block))));
            }
        }
        if (certificates.isEmpty()) {
            throw new GeneralSecurityException(file + " holds no PEM certificate");
        }
        return certificates;
    }

    /** The unencrypted private key of {@code file}: PKCS #8, or PKCS #1 for RSA. */
    static PrivateKey privateKey(Path file) throws IOException, GeneralSecurityException {
        Matcher block = BLOCK.matcher(Files.readString(file, StandardCharsets.ISO_8859_1));
        while (block.find()) {
            switch (block.group(1)) {
                case "PRIVATE KEY" -> {
                    return pkcs8(file, bytes(block));
                }
                case "RSA PRIVATE KEY" -> {
                    return pkcs8(file, sequence(RSA_PREFIX, element(4, bytes(block))));
                }
                case "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY" -> throw new GeneralSecurityException(
                        file + " holds an " + block.group(1)
                                + "; convert it with: openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW");
                default -> {
                    // Parameters and certificates may stand before the key.
                }
            }
        }
        throw new GeneralSecurityException(file + " holds no PEM private key");
    }

    /**
     * The one public key of {@code pem}: X.509 SubjectPublicKeyInfo, or PKCS #1 for RSA.
     *
     * @param source for errors
     */
    static PublicKey publicKey(String source, String pem) throws GeneralSecurityException {
        Matcher block = BLOCK.matcher(pem);
        PublicKey key = null;
        while (block.find()) {
            if (key != null) {
                throw new GeneralSecurityException(source + " holds more than one key; write one to a file");
            }
            key = switch (block.group(1)) {
                case "PUBLIC KEY" -> spki(source, bytes(block));
                case "RSA PUBLIC KEY" -> spki(source, sequence(RSA_ALGORITHM, bitString(bytes(block))));
                default -> throw new GeneralSecurityException(
                        source + " holds a " + block.group(1) + " where a PUBLIC KEY is wanted");
            };
        }
        if (key == null) {
            throw new GeneralSecurityException(source + " holds no PEM public key");
        }
        return key;
    }

    private static PublicKey spki(String source, byte[] der) throws GeneralSecurityException {
        for (String algorithm : List.of("EC", "RSA", "Ed25519")) {
            try {
                return KeyFactory.getInstance(algorithm).generatePublic(new X509EncodedKeySpec(der));
            } catch (GeneralSecurityException e) {
                // Not a key of this algorithm; the next one may be.
            }
        }
        throw new GeneralSecurityException(source + " holds a key that is neither ECDSA, RSA nor Ed25519");
    }

    private static byte[] bitString(byte[] content) {
        byte[] bits = new byte[content.length + 1];
        System.arraycopy(content, 0, bits, 1, content.length);
        return element(3, bits);
    }

    private static PrivateKey pkcs8(Path file, byte[] der) throws GeneralSecurityException {
        for (String algorithm : List.of("RSA", "EC", "Ed25519")) {
            try {
                return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(der));
            } catch (GeneralSecurityException e) {
                // Not a key of this algorithm; the next one may be.
            }
        }
        throw new GeneralSecurityException(file + " holds a key that is neither RSA, EC nor Ed25519");
    }

    private static byte[] bytes(Matcher block) throws GeneralSecurityException {
        try {
            return Base64.getMimeDecoder().decode(block.group(2));
        } catch (IllegalArgumentException e) {
            throw new GeneralSecurityException("a " + block.group(1) + " is not base64", e);
        }
    }

    private static byte[] sequence(byte[] first, byte[] second) {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        content.writeBytes(first);
        content.writeBytes(second);
        return element(0x30, content.toByteArray());
    }

    private static byte[] element(int tag, byte[] content) {
        ByteArrayOutputStream der = new ByteArrayOutputStream();
        der.write(tag);
        if (content.length < 128) {
            der.write(content.length);
        } else {
            der.write(0x82);
            der.write(content.length >> 8);
            der.write(content.length);
        }
        der.writeBytes(content);
        return der.toByteArray();
    }
}
