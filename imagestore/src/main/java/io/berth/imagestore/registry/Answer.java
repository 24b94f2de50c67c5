package io.berth.imagestore.registry;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hc.client5.http.classic.methods.HttpUriRequestBase;
import org.apache.hc.core5.http.ClassicHttpResponse;
import org.apache.hc.core5.http.Header;
import org.jspecify.annotations.Nullable;

/** An HTTP response whose body is still on the wire. */
final class Answer implements AutoCloseable {
    /** A body that is not wanted is read to its end where it is this small, which keeps the connection. */
    private static final long WORTH_DRAINING = 16 << 10;

    private final HttpUriRequestBase request;
    private final ClassicHttpResponse response;
    private final URI uri;
    private final boolean redirected;

    Answer(HttpUriRequestBase request, ClassicHttpResponse response, URI uri, boolean redirected) {
        this.request = request;
        this.response = response;
        this.uri = uri;
        this.redirected = redirected;
    }

    int status() {
        return response.getCode();
    }

    /** Where the answer came from, behind all redirects. */
    URI uri() {
        return uri;
    }

    /** Whether another server than the one that was asked has answered. */
    boolean redirected() {
        return redirected;
    }

    @Nullable
    String header(String name) {
        Header header = response.getFirstHeader(name);
        return header == null ? null : header.getValue();
    }

    List<String> headers(String name) {
        return Stream.of(response.getHeaders(name)).map(Header::getValue).toList();
    }

    /** Length of the body in bytes, or -1 where the server does not say. */
    long contentLength() {
        return response.getEntity() == null ? 0 : response.getEntity().getContentLength();
    }

    InputStream body() throws IOException {
        return response.getEntity() == null
                ? InputStream.nullInputStream()
                : response.getEntity().getContent();
    }

    /** Frees the connection, dropping what was not read. */
    @Override
    public void close() {
        try {
            long length = contentLength();
            if (length >= 0 && length <= WORTH_DRAINING) {
                body().readNBytes((int) WORTH_DRAINING);
            }
        } catch (IOException e) {
            // The connection is dropped below; what it had to say was not wanted.
        }
        abort();
    }

    /** Drops the connection without waiting for anything that may still come. Reads in other threads fail. */
    void abort() {
        request.cancel();
        try {
            response.close();
        } catch (IOException e) {
            // It is gone, which was the aim.
        }
    }
}
