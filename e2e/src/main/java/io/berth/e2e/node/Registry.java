package io.berth.e2e.node;

import io.berth.e2e.image.Blob;
import io.berth.e2e.image.TestImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.testcontainers.lifecycle.Startable;

/** A registry on loopback: Debian's docker-registry with a storage of its own. */
public final class Registry implements Startable {
    private final Path directory;
    private final int port;
    private final Path log;
    private final NodeProcess process;
    private final RegistryUpload upload;

    /**
     * A registry over plain http.
     *
     * @param directory for its configuration, log and storage
     * @param settings further sections of docker-registry's configuration (YAML): {@code auth}, for one
     */
    public Registry(Path directory, String... settings) {
        this(directory, RegistryUpload.Access.OPEN, "", List.of(settings));
    }

    private Registry(Path directory, RegistryUpload.Access access, String http, List<String> settings) {
        this.directory = directory;
        this.port = Ports.free();
        this.upload = new RegistryUpload(authority(), access);
        var text = new ArrayList<String>();
        text.add("""
            version: 0.1
            log: {level: warn}
            storage: {filesystem: {rootdirectory: %s}, delete: {enabled: true}}
            http: {addr: "127.0.0.1:%d", secret: e2e%s}
            """.formatted(directory.resolve("storage"), port, http));
        text.addAll(settings);
        try {
            Files.createDirectories(directory);
            Files.write(directory.resolve("config.yml"), text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        this.log = directory.resolve("registry.log");
        this.process = new NodeProcess("docker-registry", log,
                Map.of("OTEL_TRACES_EXPORTER", "none"),
                List.of("docker-registry", "serve", directory.resolve("config.yml").toString()));
    }

    /** A registry that wants name and password (HTTP basic). {@code htpasswd}: lines with bcrypt hashes. */
    public static Registry withBasicAuth(Path directory, String htpasswd, RegistryUpload.Access access) {
        Path file = directory.resolve("htpasswd");
        write(file, htpasswd);
        return new Registry(directory, access, "",
                List.of("auth: {htpasswd: {realm: e2e, path: " + file + "}}"));
    }

    /** A registry that sends its clients to {@code tokens}. */
    public static Registry withTokenAuth(Path directory, TokenServer tokens, RegistryUpload.Access access) {
        return new Registry(directory, access, "", List.of(
                "auth: {token: {realm: \"%s\", service: %s, issuer: %s, rootcertbundle: %s}}".formatted(
                        tokens.realm(), TokenServer.SERVICE, TokenServer.ISSUER, tokens.certificate())));
    }

    /** A registry over https with {@code identity}. */
    public static Registry withTls(Path directory, TlsIdentity identity) {
        return new Registry(directory, RegistryUpload.Access.trusting(identity),
                ", tls: {certificate: %s, key: %s}".formatted(identity.certificate(), identity.key()),
                List.of());
    }

    /** {@code host:port}. */
    public String authority() {
        return "localhost:" + port;
    }

    /** Pushes {@code image} and returns its reference by tag. */
    public String push(String repository, String tag, TestImage image) {
        image.blobs().forEach(blob -> upload.blob(repository, blob));
        upload.manifest(repository, tag, image.mediaType(), image.manifest());
        return "%s/%s:%s".formatted(authority(), repository, tag);
    }

    /** Pushes {@code images} and an index over them, and returns its reference by tag. */
    public String pushIndex(String repository, String tag, List<TestImage> images) {
        images.forEach(image -> push(repository, image.architecture(), image));
        upload.manifest(repository, tag, "application/vnd.oci.image.index.v1+json", TestImage.index(images));
        return "%s/%s:%s".formatted(authority(), repository, tag);
    }

    /** The file behind {@code blob}, for tests of what a broken registry does. */
    public Path storedFile(Blob blob) {
        String hex = blob.digest().substring("sha256:".length());
        return directory.resolve("storage/docker/registry/v2/blobs/sha256/" + hex.substring(0, 2) + "/" + hex
                + "/data");
    }

    /** How often {@code blob} has been downloaded, or begun to be, by all that came to an end. */
    public long downloads(Blob blob) {
        try (Stream<String> lines = Files.lines(log)) {
            return lines
                    .filter(line -> line.contains("\"GET /v2/") && line.contains("/blobs/" + blob.digest()))
                    .count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Deletes the bytes of {@code image} from the disk; it cannot be pulled any more. */
    public void deleteStored(TestImage image) {
        try {
            for (Blob blob : image.blobs()) {
                Files.deleteIfExists(storedFile(blob));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** From now on it takes connections and says nothing, until {@link #resume}. */
    public void freeze() {
        Command.output("kill", "-STOP", Long.toString(process.pid()));
    }

    public void resume() {
        Command.output("kill", "-CONT", Long.toString(process.pid()));
    }

    @Override
    public void start() {
        process.start(() -> Ports.isOpen("127.0.0.1", port));
    }

    @Override
    public void stop() {
        process.stop();
    }

    private static void write(Path file, String text) {
        try {
            Files.createDirectories(file.getParent());
            Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
