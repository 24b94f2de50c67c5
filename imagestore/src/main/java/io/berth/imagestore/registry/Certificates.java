package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.registry.HostAccess.HostTls;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;

/**
 * Whom to trust and how to identify, host by host: the node's own certificate authorities, those of
 * containers-certs.d(5) ({@code <host[:port]>/*.crt}), client certificates ({@code *.cert} with {@code *.key}), and what a
 * {@code hosts.toml} names. containerd's directories without a {@code hosts.toml} are of the same form.
 */
final class Certificates {
    /** Where distributions keep the authorities that the node's operator manages. */
    private static final List<Path> SYSTEM_BUNDLES = List.of(Path.of("/etc/ssl/certs/ca-certificates.crt"),
            Path.of("/etc/pki/tls/certs/ca-bundle.crt"), Path.of("/etc/ssl/ca-bundle.pem"),
            Path.of("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"), Path.of("/etc/ssl/cert.pem"));
    private static final char[] NO_PASSWORD = new char[0];

    private final List<Path> directories;
    private final List<Path> hostsDirectories;
    private final @Nullable Path bundle;
    private @Nullable SystemTrust system;

    private record SystemTrust(long modifiedMillis, List<Certificate> authorities, SSLContext context) {}

    Certificates(RegistryFiles files, Map<String, String> environment) {
        this.directories = files.certificateDirectories();
        this.hostsDirectories = files.hostsDirectories();
        String named = environment.get("SSL_CERT_FILE");
        this.bundle = named != null && !named.isEmpty()
                ? Path.of(named)
                : SYSTEM_BUNDLES.stream().filter(Files::isReadable).findFirst().orElse(null);
    }

    /**
     * The TLS context for {@code host} (with its port where one was given).
     *
     * @param verify whether the server's certificate is verified
     * @param more what hosts.toml says of the host
     * @throws ImageException INVALID, naming the file that cannot be used
     */
    SSLContext contextFor(String host, boolean verify, HostTls more) throws ImageException {
        Path directory = directory(host);
        try {
            if (verify && directory == null && more.authorities().isEmpty() && more.identities().isEmpty()) {
                return systemTrust().context();
            }
            return context(directory, verify, more);
        } catch (IOException | GeneralSecurityException e) {
            throw new ImageException(Kind.INVALID, "cannot use the certificates of registry " + host
                    + (directory == null ? "" : " in " + directory) + ": " + e.getMessage(), e);
        }
    }

    private @Nullable Path directory(String host) {
        Stream<Path> containerd = hostsDirectories.stream()
                .flatMap(each -> HostsToml.names(host).stream().map(each::resolve))
                .filter(each -> !Files.exists(each.resolve("hosts.toml")));
        return Stream.concat(directories.stream().map(each -> each.resolve(host)), containerd)
                .filter(Files::isDirectory).findFirst().orElse(null);
    }

    private SSLContext context(@Nullable Path directory, boolean verify, HostTls more)
            throws IOException, GeneralSecurityException {
        List<Certificate> authorities = new ArrayList<>(verify ? systemTrust().authorities() : List.of());
        KeyStore own = emptyStore();
        if (directory != null) {
            for (Path file : list(directory)) {
                String name = file.toString();
                if (name.endsWith(".crt") && verify) {
                    authorities.addAll(Pem.certificates(file));
                } else if (name.endsWith(".cert")) {
                    Path key = Path.of(name.substring(0, name.length() - ".cert".length()) + ".key");
                    if (!Files.exists(key)) {
                        throw new GeneralSecurityException(
                                file + " has no " + key.getFileName() + " beside it");
                    }
                    own.setKeyEntry(name, Pem.privateKey(key), NO_PASSWORD,
                            Pem.certificates(file).toArray(Certificate[]::new));
                }
            }
        }
        for (Path file : verify ? more.authorities() : List.<Path>of()) {
            authorities.addAll(Pem.certificates(file));
        }
        for (HostAccess.Identity identity : more.identities()) {
            own.setKeyEntry(identity.certificate().toString(), Pem.privateKey(identity.key()), NO_PASSWORD,
                    Pem.certificates(identity.certificate()).toArray(Certificate[]::new));
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(own, NO_PASSWORD);
        return tls(keys.getKeyManagers(),
                verify ? trust(authorities) : new TrustManager[]{new TrustEverybody()});
    }

    /** The node's authorities, read again when their file changes, and the JDK's where the node has none. */
    private synchronized SystemTrust systemTrust() throws IOException, GeneralSecurityException {
        long modified = bundle == null ? 0 : Files.getLastModifiedTime(bundle).toMillis();
        if (system == null || system.modifiedMillis() != modified) {
            if (bundle == null) {
                TrustManagerFactory jdk = TrustManagerFactory
                        .getInstance(TrustManagerFactory.getDefaultAlgorithm());
                jdk.init((KeyStore) null);
                List<Certificate> authorities = new ArrayList<>();
                for (TrustManager manager : jdk.getTrustManagers()) {
                    if (manager instanceof javax.net.ssl.X509TrustManager x509) {
                        authorities.addAll(List.of(x509.getAcceptedIssuers()));
                    }
                }
                system = new SystemTrust(modified, authorities,
                        tls(new KeyManager[0], jdk.getTrustManagers()));
            } else {
                List<Certificate> authorities = Pem.certificates(bundle);
                system = new SystemTrust(modified, authorities, tls(new KeyManager[0], trust(authorities)));
            }
        }
        return system;
    }

    private static TrustManager[] trust(List<Certificate> authorities)
            throws IOException, GeneralSecurityException {
        KeyStore store = emptyStore();
        for (int i = 0; i < authorities.size(); i++) {
            store.setCertificateEntry("authority-" + i, authorities.get(i));
        }
        TrustManagerFactory factory = TrustManagerFactory
                .getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return factory.getTrustManagers();
    }

    private static SSLContext tls(KeyManager[] keys, TrustManager[] trust) throws GeneralSecurityException {
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys, trust, null);
        return context;
    }

    private static KeyStore emptyStore() throws IOException, GeneralSecurityException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }

    private static List<Path> list(Path directory) throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.sorted().toList();
        }
    }

    /** For registries that the operator declared insecure, and for them alone. */
    private static final class TrustEverybody extends X509ExtendedTrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() { return new X509Certificate[0]; }
    }
}
