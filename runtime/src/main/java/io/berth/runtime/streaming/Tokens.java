package io.berth.runtime.streaming;

import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Base64;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Requests that wait for their client, each under a token that works once and for {@link #LIFETIME}. 192 random bits: not
 * to be guessed.
 */
final class Tokens {
    /** How long a URL is good. */
    static final Duration LIFETIME = Duration.ofMinutes(1);

    /** Bounds the memory that callers who never come for their URL can take. */
    static final int MAX_WAITING = 1000;

    private static final int TOKEN_BYTES = 24;

    private record Waiting(StreamRequest request, Instant expires) {}

    private final SecureRandom random = new SecureRandom();
    private final InstantSource clock;
    /** Oldest first. */
    private final Map<String, Waiting> waiting = new LinkedHashMap<>();

    Tokens(InstantSource clock) {
        this.clock = clock;
    }

    /** A new token for {@code request}; empty where {@link #MAX_WAITING} requests wait already. */
    synchronized Optional<String> issue(StreamRequest request) {
        dropExpired();
        if (waiting.size() >= MAX_WAITING) {
            return Optional.empty();
        }
        byte[] bytes = new byte[TOKEN_BYTES];
        random.nextBytes(bytes);
        String token = Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
        waiting.put(token, new Waiting(request, clock.instant().plus(LIFETIME)));
        return Optional.of(token);
    }

    /** The request of {@code token}, which is void from now on; empty for an unknown, used or expired one. */
    synchronized Optional<StreamRequest> redeem(String verb, String token) {
        dropExpired();
        Waiting found = waiting.get(token);
        if (found == null || !found.request.verb().equals(verb)) {
            return Optional.empty();
        }
        waiting.remove(token);
        return Optional.of(found.request);
    }

    private void dropExpired() {
        Instant now = clock.instant();
        for (Iterator<Waiting> it = waiting.values().iterator(); it.hasNext();) {
            if (it.next().expires.isAfter(now)) {
                return;
            }
            it.remove();
        }
    }
}
