package io.berth.imagestore.registry;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.PublicKey;
import java.security.interfaces.RSAKey;
import java.util.ArrayList;
import java.util.List;

/**
 * The public keys of a {@code sigstoreSigned} requirement, read when they are needed.
 *
 * @param files PEM files
 * @param texts PEM texts, as the policy holds them
 */
record SignatureKeys(List<Path> files, List<String> texts) {
    private static final int MIN_RSA_BITS = 2048;
    private static final int MAX_BYTES = 1 << 20;

    SignatureKeys {
        files = List.copyOf(files);
        texts = List.copyOf(texts);
    }

    /** @throws GeneralSecurityException naming the key that is missing or none */
    List<PublicKey> read() throws GeneralSecurityException {
        List<PublicKey> keys = new ArrayList<>();
        for (Path file : files) {
            try {
                if (Files.size(file) > MAX_BYTES) {
                    throw new GeneralSecurityException(file + " is no key: it has " + Files.size(file)
                            + " bytes");
                }
                keys.add(key(file.toString(), Files.readString(file, StandardCharsets.ISO_8859_1)));
            } catch (IOException e) {
                throw new GeneralSecurityException("cannot read the key " + file + ": " + e, e);
            }
        }
        for (String text : texts) {
            keys.add(key("keyData", text));
        }
        return keys;
    }

    private static PublicKey key(String source, String pem) throws GeneralSecurityException {
        PublicKey key = Pem.publicKey(source, pem);
        if (key instanceof RSAKey rsa && rsa.getModulus().bitLength() < MIN_RSA_BITS) {
            throw new GeneralSecurityException(source + " holds an RSA key of "
                    + rsa.getModulus().bitLength() + " bits; at least " + MIN_RSA_BITS + " are needed");
        }
        return key;
    }
}
