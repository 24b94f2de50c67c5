package io.berth.e2e.node;

import java.nio.file.Path;
import org.testcontainers.lifecycle.Startable;

/** A daemon with a CRI socket. Started, it answers Version; stopped, its containers go on. */
public interface CriServer extends Startable {
    Path socket();

    /** Process id of the daemon. */
    long pid();

    /** SIGKILL; {@link #start} brings it back over the same state. */
    void kill();

    /** The end of its log, for people. */
    String logTail();
}
