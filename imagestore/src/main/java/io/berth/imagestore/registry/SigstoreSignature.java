package io.berth.imagestore.registry;

import com.fasterxml.jackson.databind.JsonNode;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.registry.SignedIdentity.SignedName;
import java.security.GeneralSecurityException;
import java.security.PublicKey;
import java.security.Signature;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * One signature as cosign stores it: a simple-signing payload (containers-signature(5), "JSON Data Format") and the
 * signature of its bytes. Nothing of the payload counts before its signature does.
 */
final class SigstoreSignature {
    static final String PAYLOAD_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json";
    static final String ANNOTATION = "dev.cosignproject.cosign/signature";
    private static final String CRITICAL_TYPE = "cosign container image signature";

    private final byte[] payload;
    private final byte[] signature;

    SigstoreSignature(byte[] payload, byte[] signature) {
        this.payload = payload;
        this.signature = signature;
    }

    /** Says no, and why. */
    static final class NotAccepted extends Exception {
        private static final long serialVersionUID = 1;

        NotAccepted(String why) {
            super(why);
        }
    }

    /**
     * Returns where this is a signature of {@code digest}, by one of {@code keys}, for a name that {@code identity} accepts.
     *
     * @param image as the pull calls it
     * @throws NotAccepted saying what does not fit
     */
    void verify(List<PublicKey> keys, Digest digest, ImageReference image, SignedIdentity identity)
            throws NotAccepted {
        if (keys.stream().noneMatch(this::isBy)) {
            throw new NotAccepted("it was made by none of the keys");
        }
        JsonNode critical = critical();
        String signed = critical.path("image").path("docker-manifest-digest").asText("");
        if (!signed.equals(digest.toString())) {
            throw new NotAccepted("it is for another manifest, " + signed);
        }
        String name = critical.path("identity").path("docker-reference").asText("");
        try {
            if (identity.accepts(image, SignedName.parse(name))) {
                return;
            }
        } catch (ImageException e) {
            throw new NotAccepted("it is for something that is no image name: " + e.getMessage());
        }
        throw new NotAccepted("it is for \"" + name + "\", which is not the name that the policy wants");
    }

    private boolean isBy(PublicKey key) {
        try {
            Signature verifier = Signature.getInstance(switch (key.getAlgorithm()) {
                case "RSA" -> "SHA256withRSA";
                case "EC" -> "SHA256withECDSA";
                default -> "Ed25519";
            });
            verifier.initVerify(key);
            verifier.update(payload);
            return verifier.verify(signature);
        } catch (GeneralSecurityException e) {
            // Bytes that cannot be a signature of this algorithm are none of it.
            return false;
        }
    }

    /** The signed statement; whoever signs more than is understood here may mean a condition. */
    private JsonNode critical() throws NotAccepted {
        JsonNode root;
        try {
            root = ImageJson.readStrict(payload);
        } catch (ImageJson.Malformed e) {
            throw new NotAccepted("its payload is malformed: " + e.getMessage());
        }
        JsonNode critical = root.path("critical");
        wantKeys(root, Set.of("critical", "optional"));
        wantKeys(critical, Set.of("type", "image", "identity"));
        wantKeys(critical.path("image"), Set.of("docker-manifest-digest"));
        wantKeys(critical.path("identity"), Set.of("docker-reference"));
        if (!critical.path("type").asText("").equals(CRITICAL_TYPE)) {
            throw new NotAccepted("its type is \"" + critical.path("type").asText("") + "\", wanted \""
                    + CRITICAL_TYPE + "\"");
        }
        return critical;
    }

    private static void wantKeys(JsonNode node, Set<String> wanted) throws NotAccepted {
        Set<String> keys = new TreeSet<>();
        node.fieldNames().forEachRemaining(keys::add);
        if (!node.isObject() || !keys.equals(new TreeSet<>(wanted))) {
            throw new NotAccepted("its payload has " + keys + " where " + new TreeSet<>(wanted)
                    + " is wanted");
        }
    }
}
