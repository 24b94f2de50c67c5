package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A blob's bytes, once each and in order, whatever the connections below it do: what breaks is resumed by Range where
 * it stopped, at the next endpoint when one does not recover. Holds no buffer of its own: read with a large one.
 */
final class BlobStream extends InputStream {
    private static final Logger LOG = LoggerFactory.getLogger(BlobStream.class);
    /** Progress that makes a failure a new one, and not another attempt at the last. */
    private static final long PROGRESS = 64 << 10;

    private final Session session;
    private final List<Endpoint> endpoints;
    private final Descriptor blob;
    private volatile boolean closed;
    private volatile @Nullable Answer answer;
    private int endpoint;
    private long position;
    private int failures;
    private long positionOfFailure;

    private BlobStream(Session session, List<Endpoint> endpoints, Descriptor blob) {
        this.session = session;
        this.endpoints = endpoints;
        this.blob = blob;
    }

    /** Opens {@code blob} at the first of {@code endpoints} that has it. */
    static BlobStream open(Session session, List<Endpoint> endpoints, Descriptor blob) throws ImageException {
        BlobStream stream = new BlobStream(session, endpoints, blob);
        stream.connected();
        return stream;
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, buffer.length);
        if (length == 0) {
            return 0;
        }
        while (position < blob.size()) {
            Answer from = connected();
            try {
                int read = from.body().read(buffer, offset, (int) Math.min(length, blob.size() - position));
                if (read > 0) {
                    position += read;
                    return read;
                }
                throw new IOException("it ended after " + position + " of " + blob.size() + " bytes");
            } catch (IOException e) {
                drop();
                if (closed) {
                    throw new ImageException(Kind.CANCELLED, "reading of " + name() + " was stopped", e);
                }
                failed(session.broken(from, e));
            }
        }
        finish();
        return -1;
    }

    @Override
    public void close() {
        closed = true;
        drop();
    }

    private Answer connected() throws ImageException {
        Answer open = answer;
        while (open == null) {
            if (closed) {
                throw new ImageException(Kind.CANCELLED, "reading of " + name() + " was stopped");
            }
            try {
                open = interruptibly(endpoints.get(endpoint));
                answer = open;
            } catch (TransientFailure e) {
                failed(e);
            } catch (ImageException e) {
                nextEndpoint(e);
            }
        }
        return open;
    }

    /** Connects so that an interrupt ends it: a platform thread that waits for a socket does not notice one, a virtual one does. */
    private Answer interruptibly(Endpoint at) throws ImageException, TransientFailure {
        if (Thread.currentThread().isVirtual()) {
            return connect(at);
        }
        FutureTask<Answer> connecting = new FutureTask<>(() -> connect(at));
        Thread thread = Thread.ofVirtual().name("connect").start(connecting);
        try {
            return connecting.get();
        } catch (InterruptedException e) {
            stop(thread, connecting);
            throw new ImageException(Kind.CANCELLED, "reading of " + name() + " was stopped", e);
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case ImageException known -> throw known;
                case TransientFailure failure -> throw failure;
                case RuntimeException bug -> throw bug;
                case null, default ->
                    throw new ImageException(Kind.INTERNAL, "cannot connect for " + name(), e);
            }
        }
    }

    /** Ends a connecting that its caller was interrupted in; the caller stays so. */
    private static void stop(Thread thread, FutureTask<Answer> connecting) {
        thread.interrupt();
        boolean interrupted = true;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (connecting.state() == Future.State.SUCCESS) {
            connecting.resultNow().abort();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private Answer connect(Endpoint at) throws ImageException, TransientFailure {
        Map<String, String> headers = position == 0 ? Map.of() : Map.of("Range", "bytes=" + position + "-");
        Answer opened = session.get(at, name(), "blobs/" + blob.digest(), headers);
        boolean usable = false;
        try {
            if (opened.status() == 416) {
                throw wrongSize(at, "no bytes from " + position + " on");
            }
            long start = opened.status() == 206 ? start(opened) : 0;
            long length = opened.contentLength();
            if (length >= 0 && start + length != blob.size()) {
                throw wrongSize(at, (start + length) + " bytes");
            }
            skip(opened, start);
            usable = true;
            return opened;
        } finally {
            if (!usable) {
                opened.close();
            }
        }
    }

    /** Where a server without Range has begun anew, what is here already is read over. */
    private void skip(Answer opened, long start) throws ImageException, TransientFailure {
        if (start > position) {
            throw new TransientFailure("the registry resumes " + name() + " at byte " + start + ", wanted "
                    + position, null, null);
        }
        try {
            opened.body().skipNBytes(position - start);
        } catch (IOException e) {
            throw session.broken(opened, e);
        }
    }

    private long start(Answer partial) throws TransientFailure {
        String range = Objects.requireNonNullElse(partial.header("Content-Range"), "");
        if (range.matches("bytes [0-9]{1,18}-.*")) {
            return Long.parseLong(range.substring("bytes ".length(), range.indexOf('-')));
        }
        throw new TransientFailure(
                "the registry resumes " + name() + " without saying where (Content-Range \""
                        + range + "\")",
                null, null);
    }

    /** Another attempt here, or the next endpoint, or the end. */
    private void failed(TransientFailure e) throws ImageException {
        if (position - positionOfFailure >= PROGRESS) {
            failures = 0;
        }
        positionOfFailure = position;
        failures++;
        LOG.atInfo().addKeyValue("blob", blob.digest()).addKeyValue("registry", endpoints.get(endpoint))
                .addKeyValue("position", position).addKeyValue("attempt", failures)
                .log("Download broke off: {}", e.getMessage());
        try {
            session.retries().pauseAfter(e, failures);
        } catch (ImageException given) {
            nextEndpoint(new ImageException(given.kind(), "cannot download " + name() + ": "
                    + given.getMessage(), given));
        }
    }

    private void nextEndpoint(ImageException e) throws ImageException {
        if (e.kind() == Kind.CANCELLED || endpoint + 1 >= endpoints.size()) {
            throw e;
        }
        LOG.atWarn().addKeyValue("blob", blob.digest()).addKeyValue("registry", endpoints.get(endpoint))
                .addKeyValue("next", endpoints.get(endpoint + 1)).log("Mirror failed: {}", e.getMessage());
        endpoint++;
        failures = 0;
    }

    /** Reads the end of the body, which gives the connection back, and finds what is too much. */
    private void finish() throws ImageException {
        Answer open = answer;
        if (open == null) {
            return;
        }
        answer = null;
        try (open) {
            if (open.body().read() >= 0) {
                throw wrongSize(endpoints.get(endpoint), "more");
            }
        } catch (ImageException e) {
            throw e;
        } catch (IOException e) {
            LOG.atDebug().addKeyValue("blob", blob.digest()).log("Connection broke behind the last byte");
        }
    }

    private void drop() {
        Answer open = answer;
        answer = null;
        if (open != null) {
            // Another thread may be reading, from a server that says nothing.
            open.abort();
        }
    }

    private ImageException wrongSize(Endpoint at, String got) {
        return new ImageException(Kind.CORRUPT, at + " has " + got + " for " + name() + ", the manifest says "
                + blob.size() + " bytes; the image must be pushed again");
    }

    private String name() {
        return "blob " + blob.digest();
    }
}
