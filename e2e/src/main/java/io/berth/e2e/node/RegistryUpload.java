package io.berth.e2e.node;

import io.berth.e2e.image.Blob;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Optional;
import java.util.function.UnaryOperator;
import javax.net.ssl.SSLContext;

/** Writes to a registry, as the OCI distribution specification has it (monolithic uploads). */
public final class RegistryUpload {
    private static final int CREATED = 201;
    private static final int ACCEPTED = 202;
    private static final int OK = 200;

    /**
     * How a registry lets its writer in.
     *
     * @param tls for https; none for http
     * @param authorization value of the Authorization header for a repository's name, or empty
     */
    public record Access(Optional<SSLContext> tls, UnaryOperator<String> authorization) {
        /** http, and anybody may write. */
        public static final Access OPEN = new Access(Optional.empty(), repository -> "");

        /** http with an Authorization header. */
        public static Access authorized(UnaryOperator<String> authorization) {
            return new Access(Optional.empty(), authorization);
        }

        /** https with a certificate that nobody else knows. */
        public static Access trusting(TlsIdentity identity) {
            return new Access(Optional.of(identity.trust()), repository -> "");
        }
    }

    private final String base;
    private final Access access;
    private final HttpClient http;

    RegistryUpload(String authority, Access access) {
        this.base = (access.tls().isPresent() ? "https://" : "http://") + authority;
        this.access = access;
        HttpClient.Builder client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1);
        access.tls().ifPresent(client::sslContext);
        this.http = client.build();
    }

    void blob(String repository, Blob blob) {
        URI blobs = URI.create(base + "/v2/" + repository + "/blobs/");
        HttpRequest exists = request(repository, URI.create(blobs + blob.digest()))
                .method("HEAD", BodyPublishers.noBody()).build();
        if (send(exists).statusCode() == OK) {
            return;
        }
        HttpResponse<String> started = send(request(repository, blobs.resolve("uploads/"))
                .POST(BodyPublishers.noBody()).build(), ACCEPTED);
        String location = started.headers().firstValue("Location").orElseThrow();
        String separator = location.contains("?") ? "&" : "?";
        send(request(repository, blobs.resolve(location + separator + "digest=" + blob.digest()))
                .header("Content-Type", "application/octet-stream")
                .PUT(BodyPublishers.ofByteArray(blob.bytes())).build(), CREATED);
    }

    void manifest(String repository, String tag, String mediaType, Blob manifest) {
        send(request(repository, URI.create(base + "/v2/" + repository + "/manifests/" + tag))
                .header("Content-Type", mediaType)
                .PUT(BodyPublishers.ofByteArray(manifest.bytes())).build(), CREATED);
    }

    private HttpRequest.Builder request(String repository, URI uri) {
        HttpRequest.Builder request = HttpRequest.newBuilder(uri);
        String authorization = access.authorization().apply(repository);
        return authorization.isEmpty() ? request : request.header("Authorization", authorization);
    }

    private HttpResponse<String> send(HttpRequest request, int wanted) {
        HttpResponse<String> response = send(request);
        if (response.statusCode() != wanted) {
            throw new IllegalStateException("%s %s: %d %s".formatted(request.method(), request.uri(),
                    response.statusCode(), response.body()));
        }
        return response;
    }

    private HttpResponse<String> send(HttpRequest request) {
        try {
            return http.send(request, BodyHandlers.ofString());
        } catch (IOException e) {
            throw new UncheckedIOException(request.method() + " " + request.uri(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
    }
}
