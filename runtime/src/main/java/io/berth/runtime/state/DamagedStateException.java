package io.berth.runtime.state;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The state database is there no more, or not whole; {@code berth recover} makes it again. */
public final class DamagedStateException extends StateException {
    private static final long serialVersionUID = 1;

    private final String damage;

    /** @param damage what is wrong, as a part of a sentence */
    DamagedStateException(Path file, String damage, @Nullable Throwable cause) {
        super("the state database " + file + " is damaged: " + damage + ". Run \"berth recover\" with this"
                + " daemon's options while it is stopped: that keeps the file and makes a new one from "
                + file.resolveSibling("copies") + "; containers run on meanwhile", cause);
        this.damage = damage;
    }

    /** What is wrong. */
    public String damage() {
        return damage;
    }
}
