package io.berth.e2e.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.util.Base64;
import java.util.List;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** A key and a self-signed certificate for localhost, made for one test run by the JDK's keytool. */
public final class TlsIdentity {
    private static final String ALIAS = "e2e";
    private static final String PASSWORD = "not-a-secret";

    private final KeyStore store;
    private final Path certificate;
    private final Path key;

    /** Makes the identity, and its PEM files in {@code directory}. */
    public TlsIdentity(Path directory) {
        Path file = directory.resolve("identity.p12");
        try {
            Files.createDirectories(directory);
            Command.output(Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                    "-genkeypair",
                    "-alias", ALIAS, "-keyalg", "RSA", "-keysize", "2048", "-validity", "2", "-dname",
                    "CN=localhost", "-ext", "san=dns:localhost,ip:127.0.0.1", "-ext", "bc:c", "-storetype",
                    "PKCS12",
                    "-keystore", file.toString(), "-storepass", PASSWORD);
            store = KeyStore.getInstance(file.toFile(), PASSWORD.toCharArray());
            certificate = pem(directory.resolve("ca.crt"), "CERTIFICATE", certificateOf().getEncoded());
            key = pem(directory.resolve("localhost.key"), "PRIVATE KEY", privateKey().getEncoded());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** PEM file of the certificate. */
    public Path certificate() {
        return certificate;
    }

    /** PEM file of the key. */
    public Path key() {
        return key;
    }

    Certificate certificateOf() throws GeneralSecurityException {
        return store.getCertificate(ALIAS);
    }

    PrivateKey privateKey() throws GeneralSecurityException {
        return (PrivateKey) store.getKey(ALIAS, PASSWORD.toCharArray());
    }

    /** A context that trusts this certificate and no other. */
    public SSLContext trust() {
        try {
            KeyStore trusted = KeyStore.getInstance("PKCS12");
            trusted.load(null, null);
            trusted.setCertificateEntry(ALIAS, certificateOf());
            TrustManagerFactory factory = TrustManagerFactory
                    .getInstance(TrustManagerFactory.getDefaultAlgorithm());
            factory.init(trusted);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, factory.getTrustManagers(), null);
            return context;
        } catch (GeneralSecurityException | IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Path pem(Path file, String type, byte[] der) throws IOException {
        String body = Base64.getMimeEncoder(64, new byte[]{'\n'}).encodeToString(der);
        return Files.write(file, List.of("-----BEGIN " + type + "-----", body, "-----END " + type + "-----"));
    }
}
