package io.berth.imagestore.store;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.RegistryAuth;
import io.berth.imagestore.registry.Descriptor;
import io.berth.imagestore.registry.Digest;
import io.berth.imagestore.registry.ImageReference;
import io.berth.imagestore.registry.Registry;
import io.berth.imagestore.registry.Resolved;
import io.berth.imagestore.unpack.TarBuilder;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.zip.GZIPOutputStream;

/** A registry in memory, whose blobs a test can count, hold back and damage. */
final class TestRegistry implements Registry {
    static final String GZIP_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

    /** What happens to a blob before it is served. */
    @FunctionalInterface
    interface Tap {
        InputStream open(Descriptor blob, byte[] content) throws ImageException;
    }

    final AtomicInteger opened = new AtomicInteger();
    final AtomicInteger open = new AtomicInteger();
    volatile Tap tap = (blob, content) -> new ByteArrayInputStream(content);
    private final Map<String, TestImage> images = new ConcurrentHashMap<>();

    /** An image as its registry has it. */
    static final class TestImage {
        final String config;
        final String manifest;
        final List<Descriptor> layers = new ArrayList<>();
        final Map<String, byte[]> blobs = new ConcurrentHashMap<>();

        TestImage(String label, List<byte[]> tars) {
            List<String> diffIds = new ArrayList<>();
            for (byte[] tar : tars) {
                byte[] blob = gzip(tar);
                String digest = digest(blob);
                blobs.put(digest, blob);
                layers.add(new Descriptor(GZIP_LAYER, digest, blob.length, List.of(), Map.of()));
                diffIds.add("\"" + digest(tar) + "\"");
            }
            config = """
                {"os":"linux","architecture":"amd64","config":{"User":"1:2","Env":["A=b"],"Cmd":["run"],
                "Labels":{"label":"%s"},"Volumes":{"/data":{}}},"rootfs":{"type":"layers","diff_ids":[%s]}}"""
                    .formatted(label, String.join(",", diffIds));
            byte[] configBytes = config.getBytes(StandardCharsets.UTF_8);
            blobs.put(digest(configBytes), configBytes);
            manifest = """
                {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s]}"""
                    .formatted(
                            json("application/vnd.oci.image.config.v1+json", digest(configBytes),
                                    configBytes.length),
                            layers.stream().map(layer -> json(GZIP_LAYER, layer.digest(), layer.size()))
                                    .collect(Collectors.joining(",")));
            blobs.put(manifestDigest(), manifest.getBytes(StandardCharsets.UTF_8));
        }

        String id() {
            return digest(config.getBytes(StandardCharsets.UTF_8));
        }

        String manifestDigest() {
            return digest(manifest.getBytes(StandardCharsets.UTF_8));
        }

        /** Writes an OCI layout that calls the image {@code name}. */
        void writeLayout(Path directory, String name) throws IOException {
            Path content = Files.createDirectories(directory.resolve("blobs/sha256"));
            for (Map.Entry<String, byte[]> blob : blobs.entrySet()) {
                Files.write(content.resolve(blob.getKey().substring(7)), blob.getValue());
            }
            Files.writeString(directory.resolve("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}");
            Files.writeString(directory.resolve("index.json"), """
                {"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",
                "digest":"%s","size":%d,"annotations":{"org.opencontainers.image.ref.name":"%s"}}]}"""
                    .formatted(manifestDigest(), manifest.length(), name));
        }
    }

    static TestImage image(String label, TarBuilder... layers) {
        List<byte[]> tars = new ArrayList<>();
        for (TarBuilder layer : layers) {
            tars.add(layer.build());
        }
        return new TestImage(label, tars);
    }

    void push(String reference, TestImage image) throws ImageException {
        images.put(ImageReference.parse(reference).canonical(), image);
    }

    @Override
    public Resolved resolve(String reference, RegistryAuth auth) throws ImageException {
        ImageReference parsed = ImageReference.parse(reference);
        TestImage image = images.get(parsed.canonical());
        if (image == null) {
            throw new ImageException(Kind.NOT_FOUND, "no image " + reference);
        }
        open.incrementAndGet();
        return new TestResolved(parsed, image);
    }

    private final class TestResolved implements Resolved {
        private final ImageReference reference;
        private final TestImage image;

        TestResolved(ImageReference reference, TestImage image) {
            this.reference = reference;
            this.image = image;
        }

        @Override
        public ImageReference reference() {
            return reference;
        }

        @Override
        public String digest() {
            return image.manifestDigest();
        }

        @Override
        public String manifestDigest() {
            return image.manifestDigest();
        }

        @Override
        public byte[] manifest() {
            return image.manifest.getBytes(StandardCharsets.UTF_8);
        }

        @Override
        public String manifestMediaType() {
            return "application/vnd.oci.image.manifest.v1+json";
        }

        @Override
        public Descriptor configDescriptor() {
            return new Descriptor("application/vnd.oci.image.config.v1+json", image.id(),
                    image.config.length(), List.of(),
                    Map.of());
        }

        @Override
        public List<Descriptor> layers() {
            return image.layers;
        }

        @Override
        public byte[] readConfig() {
            return image.config.getBytes(StandardCharsets.UTF_8);
        }

        @Override
        public InputStream openBlob(Descriptor blob) throws ImageException {
            opened.incrementAndGet();
            byte[] content = image.blobs.get(blob.digest());
            if (content == null) {
                throw new ImageException(Kind.NOT_FOUND, "no blob " + blob.digest());
            }
            return tap.open(blob, content);
        }

        @Override
        public void close() {
            open.decrementAndGet();
        }
    }

    static String digest(byte[] content) {
        return Digest.of("sha256", content).toString();
    }

    static byte[] gzip(byte[] data) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(data);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    private static String json(String mediaType, String digest, long size) {
        return "{\"mediaType\":\"" + mediaType + "\",\"digest\":\"" + digest + "\",\"size\":" + size + "}";
    }
}
