package io.berth.runtime.streaming;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.berth.runtime.shim.ExecSession;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One exec or attach: joins a client's streams with a session's stdio, on the calling thread until either is done. */
final class RemoteCommand {
    private static final Logger log = LoggerFactory.getLogger(RemoteCommand.class);
    private static final ObjectMapper JSON = new ObjectMapper();

    private final StreamRequest.Command request;
    private final StreamingBackend backend;
    private final CommandStreams streams;
    /** Held while sizes are on their way to the terminal. */
    private final Object sizes = new Object();

    private RemoteCommand(StreamRequest.Command request, StreamingBackend backend, CommandStreams streams) {
        this.request = request;
        this.backend = backend;
        this.streams = streams;
    }

    /** Serves {@code request} on a thread of its own. */
    static void start(StreamRequest.Command request, StreamingBackend backend, CommandStreams streams) {
        Thread.ofVirtual().name(request.verb() + "-" + request.containerId()).start(() -> {
            try {
                new RemoteCommand(request, backend, streams).run();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
    }

    private void run() throws InterruptedException {
        Outcome outcome;
        try (ExecSession session = open()) {
            streams.onClose(session::close);
            pumpInput(session);
            outcome = Outcome.ofExitCode(session.run(output()));
        } catch (IOException e) {
            log.atInfo().addKeyValue("container", request.containerId()).addKeyValue("verb", request.verb())
                    .addKeyValue("reason", String.valueOf(e.getMessage())).log("stream ended early");
            outcome = new Outcome.Failure(request.verb() + " in container " + request.containerId() + ": "
                    + e.getMessage());
        } finally {
            streams.stdin().discard();
            streams.resizes().discard();
        }
        try {
            streams.finish(outcome);
        } catch (IOException e) {
            log.atDebug().addKeyValue("container", request.containerId()).setCause(e)
                    .log("client went before the outcome");
        }
    }

    private ExecSession open() throws IOException {
        return switch (request) {
            case StreamRequest.Exec exec -> backend.exec(exec);
            case StreamRequest.Attach attach -> backend.attach(attach);
        };
    }

    private ExecSession.Output output() {
        return new ExecSession.Output() {
            @Override
            public void stdout(ByteBuffer data) throws IOException {
                send(() -> streams.stdout(data));
            }

            @Override
            public void stderr(ByteBuffer data) throws IOException {
                send(() -> streams.stderr(data));
            }
        };
    }

    private interface Send {
        void run() throws IOException, InterruptedException;
    }

    private static void send(Send send) throws IOException {
        try {
            send.run();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw (IOException) new InterruptedIOException("interrupted while the client was slow")
                    .initCause(e);
        }
    }

    private void pumpInput(ExecSession session) {
        if (request.stdin()) {
            Thread.ofVirtual().name("stdin-" + request.containerId()).start(() -> pumpStdin(session));
        }
        if (request.tty()) {
            Thread.ofVirtual().name("resize-" + request.containerId()).start(() -> pumpResizes(session));
        }
    }

    private void pumpStdin(ExecSession session) {
        try {
            for (ByteBuffer data = streams.stdin().take(); data != null; data = streams.stdin().take()) {
                // What a client types after it has said a size finds the terminal of that size.
                applySizes(session);
                session.writeStdin(data);
            }
            session.closeStdin();
        } catch (IOException e) {
            // The process has closed its stdin or ended: the rest of the input has no reader, and must not fill memory.
            streams.stdin().discard();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void pumpResizes(ExecSession session) {
        try {
            while (streams.resizes().await()) {
                applySizes(session);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** All that have come so far. Returns when they are applied, whoever of the two pumps has taken them. */
    private void applySizes(ExecSession session) {
        synchronized (sizes) {
            try {
                for (ByteBuffer data = streams.resizes().poll(); data != null; data = streams.resizes()
                        .poll()) {
                    resize(session, data);
                }
            } catch (IOException e) {
                streams.resizes().discard();
                log.atDebug().addKeyValue("container", request.containerId()).setCause(e)
                        .log("resize failed");
            }
        }
    }

    /** Sizes that make no sense are passed over: a client's mistake must not end the command. */
    private static void resize(ExecSession session, ByteBuffer data) throws IOException {
        byte[] bytes = new byte[data.remaining()];
        data.get(bytes);
        try (var values = JSON.readerFor(JsonNode.class).<JsonNode>readValues(bytes)) {
            while (values.hasNextValue()) {
                JsonNode size = values.nextValue();
                int columns = size.path("Width").asInt();
                int rows = size.path("Height").asInt();
                if (columns > 0 && columns <= 0xffff && rows > 0 && rows <= 0xffff) {
                    session.resize(columns, rows);
                }
            }
        } catch (JsonProcessingException e) {
            log.atDebug().setCause(e).log("not a terminal size");
        }
    }
}
