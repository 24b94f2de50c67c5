package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.RegistryAuth;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Registries over the OCI distribution protocol. Each pull has its own connections and reads configuration and
 * certificates anew, so what an operator changes holds from the next pull on; only tokens are shared between pulls of
 * the same credentials.
 */
public final class RegistryClient implements Registry {
    private static final Logger LOG = LoggerFactory.getLogger(RegistryClient.class);
    private static final int MAX_NESTING = 4;

    private final RegistryOptions options;
    private final Certificates certificates;
    private final RetryPolicy retries;
    private final Tokens tokens = new Tokens();

    private RegistryClient(RegistryOptions options) {
        this.options = options;
        this.certificates = new Certificates(options.certificateDirectories(), options.environment());
        this.retries = new RetryPolicy(options.attempts(), options.firstPause(), options.longestPause());
    }

    /**
     * A client for this node.
     *
     * @throws ImageException INVALID where registries.conf or a proxy variable is malformed
     */
    public static RegistryClient open(RegistryOptions options) throws ImageException {
        RegistriesConf.read(options.registriesConf());
        new Proxies(options.environment());
        return new RegistryClient(options);
    }

    @Override
    public Resolved resolve(String text, RegistryAuth auth) throws ImageException {
        ImageReference reference = ImageReference.parse(text);
        List<Endpoint> endpoints = RegistriesConf.read(options.registriesConf()).endpoints(reference);
        Transport transport = new Transport(options, certificates);
        boolean resolved = false;
        try {
            Session session = new Session(transport,
                    new Authorizer(auth, reference.registry(), tokens, transport), retries);
            Resolved image = resolve(reference, endpoints, session);
            resolved = true;
            return image;
        } finally {
            if (!resolved) {
                transport.close();
            }
        }
    }

    private Resolved resolve(ImageReference reference, List<Endpoint> endpoints, Session session)
            throws ImageException {
        List<ImageException> failures = new ArrayList<>();
        for (int i = 0; i < endpoints.size(); i++) {
            try {
                return resolve(reference, endpoints.get(i), session, endpoints.subList(i, endpoints.size()));
            } catch (ImageException e) {
                if (e.kind() == Kind.CANCELLED) {
                    throw e;
                }
                failures.add(e);
                LOG.atInfo().addKeyValue("image", reference).addKeyValue("registry", endpoints.get(i))
                        .log("Cannot resolve here: {}", e.getMessage());
            }
        }
        throw unresolved(reference, endpoints, failures);
    }

    private Resolved resolve(ImageReference reference, Endpoint endpoint, Session session,
            List<Endpoint> remaining)
            throws ImageException {
        ManifestDocument named = fetch(session, endpoint, reference.manifestKey());
        ManifestDocument manifest = platformManifest(session, endpoint, named, 0);
        return new RemoteImage(reference, named.digest(), manifest, options.platform(), session, remaining);
    }

    private ManifestDocument platformManifest(Session session, Endpoint endpoint, ManifestDocument document,
            int depth)
            throws ImageException {
        if (!document.isIndex()) {
            return document;
        }
        if (depth >= MAX_NESTING) {
            throw new ImageException(Kind.UNSUPPORTED, "index " + document.digest() + " lies more than "
                    + MAX_NESTING + " indexes deep");
        }
        ImageException last = null;
        for (ManifestDocument.Entry entry : document.candidates(options.platform())) {
            try {
                return platformManifest(session, endpoint,
                        fetch(session, endpoint, entry.descriptor().digest()), depth + 1);
            } catch (ImageException e) {
                // Entries without a platform may be attestations and artifacts: the next one is asked.
                if (entry.platform() != null || e.kind() != Kind.UNSUPPORTED) {
                    throw e;
                }
                last = e;
            }
        }
        throw new ImageException(Kind.UNSUPPORTED, "index " + document.digest() + " has no image for "
                + options.platform() + "; it has " + document.offered(), last);
    }

    private static ManifestDocument fetch(Session session, Endpoint endpoint, String key)
            throws ImageException {
        return session.retries().run(() -> fetchOnce(session, endpoint, key));
    }

    private static ManifestDocument fetchOnce(Session session, Endpoint endpoint, String key)
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

    private static ImageException unresolved(ImageReference reference, List<Endpoint> endpoints,
            List<ImageException> failures) {
        // The registry itself is last, and its answer counts: a mirror need not have everything.
        ImageException decisive = failures.getLast();
        if (failures.size() == 1) {
            return new ImageException(decisive.kind(),
                    "cannot resolve " + reference + ": " + decisive.getMessage(), decisive);
        }
        StringBuilder message = new StringBuilder("cannot resolve " + reference + " at any of "
                + failures.size() + " endpoints");
        for (int i = 0; i < failures.size(); i++) {
            message.append(i == 0 ? ": " : "; ").append(endpoints.get(i)).append(" (")
                    .append(i + 1 < failures.size() ? "mirror" : "registry").append("): ")
                    .append(failures.get(i).getMessage());
        }
        ImageException all = new ImageException(decisive.kind(), message.toString(), decisive);
        failures.subList(0, failures.size() - 1).forEach(all::addSuppressed);
        return all;
    }
}
