package io.berth.runtime.streaming;

import java.io.IOException;
import java.nio.ByteBuffer;

/** The streams of one exec or attach, whatever the transport. */
interface CommandStreams {
    /** What the client types; ends when the client closes it or goes. */
    Inlet stdin();

    /** The client's terminal sizes, one JSON object each. */
    Inlet resizes();

    /** Sends output, waiting for a slow client; dropped where the client asked for no such stream. */
    void stdout(ByteBuffer data) throws IOException, InterruptedException;

    void stderr(ByteBuffer data) throws IOException, InterruptedException;

    /** Ends the output, tells {@code outcome} on the error channel and closes the connection once the client has it all. */
    void finish(Outcome outcome) throws IOException, InterruptedException;

    /** Runs {@code action} once when the client is gone, at once where it is gone already. */
    void onClose(Runnable action);
}
