package io.berth.imagestore.registry;

import com.fasterxml.jackson.databind.JsonNode;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** The manifests and blobs of one repository, from whichever of its endpoints has them; all are verified. */
final class ManifestSource {
    private final Session session;
    private final List<Endpoint> endpoints;

    /** @param endpoints in the order in which they are asked, at least one */
    ManifestSource(Session session, List<Endpoint> endpoints) {
        this.session = session;
        this.endpoints = List.copyOf(endpoints);
    }

    /** The manifest of {@code key}, a digest or a tag, at the first endpoint that has it. */
    ManifestDocument manifest(String key) throws ImageException {
        ImageException first = null;
        for (Endpoint endpoint : endpoints) {
            try {
                return manifest(session, endpoint, key);
            } catch (ImageException e) {
                if (e.kind() != Kind.NOT_FOUND && e.kind() != Kind.UNAVAILABLE) {
                    throw e;
                }
                // A registry that cannot be asked may have what another has not.
                first = first == null || first.kind() == Kind.NOT_FOUND ? e : first;
            }
        }
        throw Objects.requireNonNull(first);
    }

    /** What refers to {@code digest} (OCI distribution-spec 1.1, "Listing Referrers"); empty where none is told. */
    List<JsonNode> referrers(Digest digest) throws ImageException {
        List<JsonNode> referrers = new ArrayList<>();
        try {
            byte[] bytes = session.retries().run(() -> {
                Endpoint endpoint = endpoints.getFirst();
                String what = "the referrers of " + digest;
                try (Answer answer = session.get(endpoint, what, "referrers/" + digest,
                        Map.of("Accept", ManifestDocument.OCI_INDEX))) {
                    return read(session, answer, endpoint, what);
                }
            });
            ImageJson.read(bytes).path("manifests").forEach(referrers::add);
        } catch (ImageJson.Malformed e) {
            // Registries that know no referrers may answer anything.
            return referrers;
        } catch (ImageException e) {
            if (e.kind() == Kind.CANCELLED) {
                throw e;
            }
            // Older registries do not have this call at all, and refuse it in many ways.
            return referrers;
        }
        return referrers;
    }

    InputStream blob(Descriptor descriptor) throws ImageException {
        return BlobStream.open(session, endpoints, descriptor);
    }

    /** The manifest of {@code key} at {@code endpoint}. */
    static ManifestDocument manifest(Session session, Endpoint endpoint, String key) throws ImageException {
        return session.retries().run(() -> manifestOnce(session, endpoint, key));
    }

    private static ManifestDocument manifestOnce(Session session, Endpoint endpoint, String key)
            throws ImageException, TransientFailure {
        String what = "manifest " + key;
        try (Answer answer = session.get(endpoint, what, "manifests/" + key,
                Map.of("Accept", ManifestDocument.ACCEPTED))) {
            byte[] bytes = read(session, answer, endpoint, what);
            Digest digest = key.contains(":") ? Digest.parse(key) : Digest.of("sha256", bytes);
            verify(endpoint, what, digest.toString(), bytes);
            String told = Objects.requireNonNullElse(answer.header("Docker-Content-Digest"), "");
            if (told.startsWith(digest.algorithm() + ":")) {
                verify(endpoint, what, told, bytes);
            }
            return ManifestDocument.parse(digest,
                    Objects.requireNonNullElse(answer.header("Content-Type"), ""), bytes);
        }
    }

    private static byte[] read(Session session, Answer answer, Endpoint endpoint, String what)
            throws ImageException, TransientFailure {
        byte[] bytes;
        try {
            bytes = answer.body().readNBytes(ManifestDocument.MAX_BYTES + 1);
        } catch (IOException e) {
            throw session.broken(answer, e);
        }
        if (bytes.length > ManifestDocument.MAX_BYTES) {
            throw new ImageException(Kind.UNSUPPORTED, what + " at " + endpoint + " is larger than "
                    + ManifestDocument.MAX_BYTES + " bytes, which is more than manifests may have");
        }
        return bytes;
    }

    private static void verify(Endpoint endpoint, String what, String expected, byte[] bytes)
            throws ImageException {
        String algorithm = expected.substring(0, expected.indexOf(':'));
        String got = Digest.of(algorithm, bytes).toString();
        if (!got.equals(expected)) {
            throw new ImageException(Kind.CORRUPT,
                    what + " at " + endpoint + " has digest " + got + ", expected "
                            + expected + "; the registry or something before it is damaged");
        }
    }
}
