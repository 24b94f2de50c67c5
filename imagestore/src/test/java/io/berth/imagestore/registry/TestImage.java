package io.berth.imagestore.registry;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/** An image made by a test: documents by the key that a registry is asked for, and blobs by digest. */
final class TestImage {
    private final Map<String, byte[]> blobs = new TreeMap<>();
    private final byte[] config;
    private final byte[] layer;
    private final byte[] manifest;

    private TestImage(byte[] config, byte[] layer, String manifest) {
        this.config = config;
        this.layer = layer;
        this.manifest = manifest.getBytes(StandardCharsets.UTF_8);
        blobs.put(digest(config), config);
        blobs.put(digest(layer), layer);
    }

    /** An OCI image with one layer of {@code bytes} random bytes. */
    static TestImage of(String architecture, int bytes) {
        byte[] layer = new byte[bytes];
        new Random(bytes).nextBytes(layer);
        byte[] config = """
            {"os":"linux","architecture":"%s","rootfs":{"type":"layers","diff_ids":["%s"]}}"""
                .formatted(architecture, digest(layer)).getBytes(StandardCharsets.UTF_8);
        return new TestImage(config, layer, """
            {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
             "config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%d},
             "layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"%s","size":%d}]}"""
                .formatted(digest(config), config.length, digest(layer), layer.length));
    }

    /** The same as Docker's schema 2. */
    TestImage asDocker() {
        return new TestImage(config, layer,
                new String(manifest, StandardCharsets.UTF_8)
                        .replace("vnd.oci.image.manifest.v1+json", "vnd.docker.distribution.manifest.v2+json")
                        .replace("vnd.oci.image.config.v1+json", "vnd.docker.container.image.v1+json")
                        .replace("vnd.oci.image.layer.v1.tar", "vnd.docker.image.rootfs.diff.tar"));
    }

    byte[] config() {
        return config;
    }

    byte[] layer() {
        return layer;
    }

    byte[] manifest() {
        return manifest;
    }

    String manifestDigest() {
        return digest(manifest);
    }

    Map<String, byte[]> blobs() {
        return blobs;
    }

    /** An entry of an index that points to this image; {@code platform} is JSON or empty. */
    String entry(String platform) {
        return """
            {"mediaType":"%s","digest":"%s","size":%d%s}""".formatted(mediaType(manifest), manifestDigest(),
                manifest.length, platform.isEmpty() ? "" : ",\"platform\":" + platform);
    }

    static byte[] index(String... entries) {
        return """
            {"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s]}"""
                .formatted(String.join(",", entries)).getBytes(StandardCharsets.UTF_8);
    }

    static String digest(byte[] content) {
        return Digest.of("sha256", content).toString();
    }

    static String mediaType(byte[] document) {
        String text = new String(document, StandardCharsets.UTF_8);
        int start = text.indexOf("\"mediaType\":\"") + "\"mediaType\":\"".length();
        return text.substring(start, text.indexOf('"', start));
    }

    /** Pushes blobs and manifest to {@code repository} of a registry without authentication. */
    void push(String host, String repository, String tag) throws IOException, InterruptedException {
        try (HttpClient http = HttpClient.newHttpClient()) {
            for (Map.Entry<String, byte[]> blob : blobs.entrySet()) {
                HttpResponse<String> begun = http.send(
                        HttpRequest
                                .newBuilder(URI
                                        .create("http://" + host + "/v2/" + repository + "/blobs/uploads/"))
                                .POST(BodyPublishers.noBody()).build(),
                        BodyHandlers.ofString());
                String location = begun.headers().firstValue("Location").orElseThrow();
                put(http, URI.create(location + "&digest=" + blob.getKey()), "application/octet-stream",
                        blob.getValue());
            }
        }
        pushDocument(host, repository, tag, manifest);
    }

    static void pushDocument(String host, String repository, String key, byte[] document)
            throws IOException, InterruptedException {
        try (HttpClient http = HttpClient.newHttpClient()) {
            put(http, URI.create("http://" + host + "/v2/" + repository + "/manifests/" + key),
                    mediaType(document),
                    document);
        }
    }

    private static void put(HttpClient http, URI uri, String type, byte[] body)
            throws IOException, InterruptedException {
        HttpResponse<String> put = http.send(HttpRequest.newBuilder(uri).header("Content-Type", type)
                .PUT(BodyPublishers.ofByteArray(body)).build(), BodyHandlers.ofString());
        if (put.statusCode() != 201) {
            throw new IOException("PUT " + uri + ": " + put.statusCode() + " " + put.body());
        }
    }
}
