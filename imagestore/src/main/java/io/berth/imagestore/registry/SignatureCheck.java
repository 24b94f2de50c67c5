package io.berth.imagestore.registry;

import com.fasterxml.jackson.databind.JsonNode;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.registry.SignaturePolicy.Requirement;
import io.berth.imagestore.registry.SigstoreSignature.NotAccepted;
import java.io.IOException;
import java.io.InputStream;
import java.security.GeneralSecurityException;
import java.security.PublicKey;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Holds an image to its rule. A signature of what the name says, an index too, counts as well as one of this platform's
 * manifest: the index names the manifest by its digest.
 */
final class SignatureCheck {
    private static final int MAX_SIGNATURES = 64;
    private static final int MAX_PAYLOAD = 1 << 20;
    /** How cosign marks signatures that it attaches as referrers (OCI distribution-spec 1.1). */
    private static final Set<String> REFERRERS = Set.of("application/vnd.dev.cosign.artifact.sig.v1+json",
            SigstoreSignature.PAYLOAD_TYPE);

    private final SignaturePolicy.Rule rule;
    private final ImageReference image;
    private final ManifestSource source;
    private final Map<Digest, List<SigstoreSignature>> found = new HashMap<>();

    SignatureCheck(SignaturePolicy.Rule rule, ImageReference image, ManifestSource source) {
        this.rule = rule;
        this.image = image;
        this.source = source;
    }

    /** @throws ImageException SIGNATURE where nothing that a registry has could help */
    static void refuseAtOnce(SignaturePolicy.Rule rule, ImageReference image) throws ImageException {
        for (Requirement requirement : rule.requirements()) {
            switch (requirement) {
                case Requirement.Reject _ -> throw rejected(rule, image, "rejects it");
                case Requirement.Unsupported(String what) -> throw rejected(rule, image, "wants " + what);
                case Requirement.Accept _,Requirement.Sigstore _ -> {
                    // Nothing speaks against it yet.
                }
            }
        }
    }

    /**
     * Returns where every requirement is met by a signature of one of the two digests.
     *
     * @throws ImageException SIGNATURE; INVALID where a key cannot be used; what the registry fails with
     */
    void require(Digest named, Digest manifest) throws ImageException {
        for (Requirement requirement : rule.requirements()) {
            if (requirement instanceof Requirement.Sigstore sigstore) {
                require(sigstore, new LinkedHashSet<>(List.of(named, manifest)));
            }
        }
    }

    private void require(Requirement.Sigstore wanted, Set<Digest> digests) throws ImageException {
        List<PublicKey> keys;
        try {
            keys = wanted.keys().read();
        } catch (GeneralSecurityException e) {
            throw new ImageException(Kind.INVALID, rule.source() + ": " + e.getMessage(), e);
        }
        List<String> reasons = new ArrayList<>();
        for (Digest digest : digests) {
            for (SigstoreSignature signature : signatures(digest)) {
                try {
                    signature.verify(keys, digest, image, wanted.identity());
                    return;
                } catch (NotAccepted e) {
                    reasons.add("signature " + (reasons.size() + 1) + ": " + e.getMessage());
                }
            }
        }
        throw rejected(rule, image, "wants a sigstore signature, and "
                + (reasons.isEmpty()
                        ? "there is none for " + digests
                        : "accepts none that there is (" + String.join("; ", reasons) + ")"));
    }

    private List<SigstoreSignature> signatures(Digest digest) throws ImageException {
        List<SigstoreSignature> known = found.get(digest);
        if (known != null) {
            return known;
        }
        List<SigstoreSignature> signatures = new ArrayList<>();
        try {
            readInto(signatures, source.manifest(digest.algorithm() + "-" + digest.hex() + ".sig"));
        } catch (ImageException e) {
            if (e.kind() != Kind.NOT_FOUND) {
                throw e;
            }
        }
        for (JsonNode referrer : source.referrers(digest)) {
            if (REFERRERS.contains(referrer.path("artifactType").asText(""))) {
                readInto(signatures,
                        source.manifest(Digest.parse(referrer.path("digest").asText("")).toString()));
            }
        }
        found.put(digest, signatures);
        return signatures;
    }

    private void readInto(List<SigstoreSignature> signatures, ManifestDocument manifest)
            throws ImageException {
        if (manifest.isIndex()) {
            return;
        }
        for (Descriptor layer : manifest.layers()) {
            String annotation = layer.annotations().get(SigstoreSignature.ANNOTATION);
            if (annotation == null || !layer.mediaType().equals(SigstoreSignature.PAYLOAD_TYPE)
                    || layer.size() > MAX_PAYLOAD) {
                continue;
            }
            if (signatures.size() == MAX_SIGNATURES) {
                return;
            }
            try {
                signatures.add(new SigstoreSignature(payload(layer), Base64.getDecoder().decode(annotation)));
            } catch (IllegalArgumentException e) {
                // What is not base64 is no signature; another may be.
            }
        }
    }

    private byte[] payload(Descriptor layer) throws ImageException {
        byte[] bytes;
        try (InputStream in = source.blob(layer)) {
            bytes = in.readAllBytes();
        } catch (IOException e) {
            throw e instanceof ImageException known
                    ? known
                    : new ImageException(Kind.INTERNAL, "cannot read signature " + layer.digest(), e);
        }
        Digest wanted = Digest.parse(layer.digest());
        if (!wanted.matches(bytes)) {
            throw new ImageException(Kind.CORRUPT, "signature " + wanted + " of " + image
                    + " has other content: its digest is " + Digest.of(wanted.algorithm(), bytes));
        }
        return bytes;
    }

    private static ImageException rejected(SignaturePolicy.Rule rule, ImageReference image, String why) {
        return new ImageException(Kind.SIGNATURE,
                image + " may not be pulled: " + rule.source() + ", " + why);
    }
}
