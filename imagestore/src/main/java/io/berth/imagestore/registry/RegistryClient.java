package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.RegistryAuth;
import java.util.ArrayList;
import java.util.List;
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
    /** Entries of an index without a platform that are looked into; a build has an attestation for each platform. */
    private static final int MAX_UNNAMED = 32;

    private final RegistryOptions options;
    private final Certificates certificates;
    private final RetryPolicy retries;
    private final Tokens tokens = new Tokens();
    private volatile RegistriesConf names;

    private RegistryClient(RegistryOptions options, RegistriesConf conf) {
        this.options = options;
        this.certificates = new Certificates(options.files(), options.environment());
        this.retries = new RetryPolicy(options.attempts(), options.firstPause(), options.longestPause());
        this.names = conf;
    }

    /**
     * A client for this node.
     *
     * @throws ImageException INVALID where registries.conf, the auth file, the signature policy or a proxy variable is
     *     malformed
     */
    public static RegistryClient open(RegistryOptions options) throws ImageException {
        RegistryFiles files = options.files();
        RegistriesConf conf = RegistriesConf.read(files.registriesConf());
        AuthFile.read(files.authFile(), options.environment());
        SignaturePolicy.read(files.signaturePolicy());
        new Proxies(options.environment());
        return new RegistryClient(options, conf);
    }

    @Override
    public ImageReference name(String text) throws ImageException {
        return names.name(text);
    }

    @Override
    public Resolved resolve(String text, RegistryAuth auth) throws ImageException {
        RegistryFiles files = options.files();
        RegistriesConf conf = RegistriesConf.read(files.registriesConf());
        names = conf;
        ImageReference reference = conf.name(text);
        SignaturePolicy.Rule rule = SignaturePolicy.read(files.signaturePolicy()).rule(reference);
        SignatureCheck.refuseAtOnce(rule, reference);
        List<Endpoint> endpoints = endpoints(conf, reference);
        Transport transport = new Transport(options, certificates);
        boolean resolved = false;
        try {
            Session session = new Session(transport, new Authorizer(auth, reference.registry(),
                    AuthFile.read(files.authFile(), options.environment()), tokens, transport), retries);
            Resolved image = resolve(reference, endpoints, session, rule);
            resolved = true;
            return image;
        } finally {
            if (!resolved) {
                transport.close();
            }
        }
    }

    /** A table of registries.conf says everything about its registry; hosts.toml speaks where there is none. */
    private List<Endpoint> endpoints(RegistriesConf conf, ImageReference reference) throws ImageException {
        HostsToml hosts = conf.knows(reference)
                ? null
                : HostsToml.read(options.files().hostsDirectories(), reference.registry());
        return hosts == null ? conf.endpoints(reference) : hosts.endpoints(reference);
    }

    private Resolved resolve(ImageReference reference, List<Endpoint> endpoints, Session session,
            SignaturePolicy.Rule rule) throws ImageException {
        List<Endpoint> asked = endpoints.stream()
                .filter(reference.digest() == null ? Endpoint::resolves : Endpoint::pulls).toList();
        if (asked.isEmpty()) {
            throw new ImageException(Kind.INVALID, "cannot resolve " + reference
                    + ": none of the hosts that hosts.toml names for it has the capability "
                    + (reference.digest() == null ? "resolve" : "pull"));
        }
        List<ImageException> failures = new ArrayList<>();
        List<Endpoint> useful = new ArrayList<>(endpoints);
        for (Endpoint endpoint : asked) {
            try {
                return resolve(reference, endpoint, session, useful, rule);
            } catch (ImageException e) {
                if (e.kind() == Kind.CANCELLED || e.kind() == Kind.SIGNATURE) {
                    throw e;
                }
                failures.add(e);
                useful.remove(endpoint);
                LOG.atInfo().addKeyValue("image", reference).addKeyValue("registry", endpoint)
                        .log("Cannot resolve here: {}", e.getMessage());
            }
        }
        throw unresolved(reference, asked, failures);
    }

    private Resolved resolve(ImageReference reference, Endpoint endpoint, Session session,
            List<Endpoint> useful, SignaturePolicy.Rule rule) throws ImageException {
        ManifestDocument named = ManifestSource.manifest(session, endpoint, reference.manifestKey());
        List<Endpoint> pulling = useful.stream().filter(Endpoint::pulls).toList();
        if (pulling.isEmpty()) {
            throw new ImageException(Kind.INVALID,
                    "none of the hosts that hosts.toml names has the capability pull");
        }
        ManifestSource source = new ManifestSource(session, pulling);
        ManifestDocument manifest = platformManifest(source, named, 0);
        new SignatureCheck(rule, reference, source).require(named.digest(), manifest.digest());
        return new RemoteImage(reference, named.digest(), manifest, options.platform(), session, pulling);
    }

    private ManifestDocument platformManifest(ManifestSource source, ManifestDocument document, int depth)
            throws ImageException {
        if (!document.isIndex()) {
            return document;
        }
        if (depth >= MAX_NESTING) {
            throw new ImageException(Kind.UNSUPPORTED, "index " + document.digest() + " lies more than "
                    + MAX_NESTING + " indexes deep");
        }
        ImageException last = null;
        int unnamed = 0;
        for (ManifestDocument.Entry entry : document.candidates(options.platform())) {
            try {
                return platformManifest(source, source.manifest(entry.descriptor().digest()), depth + 1);
            } catch (ImageException e) {
                // Entries without a platform may be attestations and artifacts: the next one is asked.
                if (entry.platform() != null || e.kind() != Kind.UNSUPPORTED || ++unnamed == MAX_UNNAMED) {
                    throw e;
                }
                last = e;
            }
        }
        throw new ImageException(Kind.UNSUPPORTED, "index " + document.digest() + " has no image for "
                + options.platform() + "; it has " + document.offered(), last);
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
