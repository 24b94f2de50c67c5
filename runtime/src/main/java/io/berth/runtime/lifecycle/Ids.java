package io.berth.runtime.lifecycle;

import java.security.SecureRandom;
import java.util.HexFormat;

/** Ids of sandboxes and containers. */
public final class Ids {
    private static final SecureRandom RANDOM = new SecureRandom();

    private Ids() {}

    /** 256 random bits as 64 lower-case hex digits. */
    public static String next() {
        byte[] bytes = new byte[32];
        RANDOM.nextBytes(bytes);
        return HexFormat.of().formatHex(bytes);
    }
}
