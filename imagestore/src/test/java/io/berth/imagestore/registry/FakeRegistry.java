package io.berth.imagestore.registry;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/** A registry that does as it is told: it serves documents and blobs, after the answers queued for a path. */
final class FakeRegistry implements AutoCloseable {
    /** One request; headers null where absent, query and body empty. */
    record Asked(String path, String query, String body, @Nullable String authorization,
            @Nullable String range, @Nullable String proxyAuthorization, Headers headers) {}

    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final HttpServer server;
    private final Map<String, byte[]> content = new ConcurrentHashMap<>();
    private final Map<String, String> types = new ConcurrentHashMap<>();
    private final Map<String, Deque<HttpHandler>> queued = new ConcurrentHashMap<>();
    private final List<Asked> asked = Collections.synchronizedList(new ArrayList<>());

    FakeRegistry() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 64);
        server.setExecutor(threads);
        server.createContext("/", this::serve);
        server.start();
    }

    String host() {
        return "127.0.0.1:" + server.getAddress().getPort();
    }

    /** What was asked for, without the pings at {@code /v2/}. */
    List<Asked> asked() {
        synchronized (asked) {
            return List.copyOf(asked);
        }
    }

    FakeRegistry with(String repository, String tag, TestImage image) {
        document(repository, tag, image.manifest());
        image.blobs().forEach((digest, bytes) -> content.put(blob(repository, digest), bytes));
        return this;
    }

    /** A manifest or index under {@code key} and its digest, with its own media type. */
    void document(String repository, String key, byte[] bytes) {
        document(repository, key, TestImage.mediaType(bytes), bytes);
    }

    void document(String repository, String key, String type, byte[] bytes) {
        for (String each : List.of(key, TestImage.digest(bytes))) {
            content.put(manifest(repository, each), bytes);
            types.put(manifest(repository, each), type);
        }
    }

    /** Any bytes at any path. */
    FakeRegistry content(String path, byte[] bytes) {
        content.put(path, bytes);
        return this;
    }

    /** Queues an answer in place of the next one for {@code path}. */
    FakeRegistry answer(String path, HttpHandler handler) {
        queued.computeIfAbsent(path, _ -> new ArrayDeque<>()).add(handler);
        return this;
    }

    static String manifest(String repository, String key) {
        return "/v2/" + repository + "/manifests/" + key;
    }

    static String blob(String repository, String digest) {
        return "/v2/" + repository + "/blobs/" + digest;
    }

    /** An answer of {@code status} with headers in pairs. */
    static HttpHandler status(int status, String... headers) {
        return exchange -> {
            for (int i = 0; i < headers.length; i += 2) {
                exchange.getResponseHeaders().add(headers[i], headers[i + 1]);
            }
            exchange.sendResponseHeaders(status, -1);
        };
    }

    static HttpHandler json(int status, String body) {
        return exchange -> send(exchange, status, "application/json",
                body.getBytes(StandardCharsets.UTF_8));
    }

    /** All headers as for {@code body}, but only {@code sent} bytes of it, and then the connection ends. */
    static HttpHandler cut(byte[] body, int sent) {
        return exchange -> {
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body, 0, sent);
            exchange.getResponseBody().flush();
            throw new IOException("cut here");
        };
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }

    private void serve(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        if (!path.equals("/v2/")) {
            String query = exchange.getRequestURI().getQuery();
            asked.add(new Asked(path, query == null ? "" : query,
                    new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8),
                    exchange.getRequestHeaders().getFirst("Authorization"),
                    exchange.getRequestHeaders().getFirst("Range"),
                    exchange.getRequestHeaders().getFirst("Proxy-Authorization"),
                    exchange.getRequestHeaders()));
        }
        Deque<HttpHandler> answers = queued.getOrDefault(path, new ArrayDeque<>());
        HttpHandler next;
        synchronized (answers) {
            next = answers.poll();
        }
        if (next != null) {
            next.handle(exchange);
            exchange.close();
            return;
        }
        byte[] body = content.get(path);
        if (path.equals("/v2/")) {
            send(exchange, 200, "application/json", new byte[]{'{', '}'});
        } else if (body == null) {
            send(exchange, 404, "application/json", new byte[]{'{', '}'});
        } else {
            ranged(exchange, types.getOrDefault(path, "application/octet-stream"), body);
        }
    }

    private static void ranged(HttpExchange exchange, String type, byte[] body) throws IOException {
        String range = exchange.getRequestHeaders().getFirst("Range");
        int start = range == null
                ? 0
                : Integer.parseInt(range.substring("bytes=".length(), range.length() - 1));
        if (range != null) {
            exchange.getResponseHeaders().add("Content-Range",
                    "bytes " + start + "-" + (body.length - 1) + "/" + body.length);
        }
        exchange.getResponseHeaders().add("Content-Type", type);
        exchange.sendResponseHeaders(range == null ? 200 : 206,
                body.length - start == 0 ? -1 : body.length - start);
        try (OutputStream out = exchange.getResponseBody()) {
            out.write(body, start, body.length - start);
        }
    }

    private static void send(HttpExchange exchange, int status, String type, byte[] body) throws IOException {
        exchange.getResponseHeaders().add("Content-Type", type);
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }
}
