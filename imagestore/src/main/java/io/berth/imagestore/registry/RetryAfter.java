package io.berth.imagestore.registry;

import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import org.jspecify.annotations.Nullable;

/** The {@code Retry-After} header (RFC 9110, 10.2.3): seconds, or a date. */
final class RetryAfter {
    private RetryAfter() {}

    /** How long the server asks to wait; null where it does not say so, or not clearly. */
    static @Nullable Duration of(Answer answer) {
        String value = answer.header("Retry-After");
        return value == null ? null : parse(value.trim(), Instant.now());
    }

    static @Nullable Duration parse(String value, Instant now) {
        try {
            if (!value.isEmpty() && value.length() <= 9 && value.chars().allMatch(Character::isDigit)) {
                return Duration.ofSeconds(Long.parseLong(value));
            }
            Duration until = Duration.between(now,
                    ZonedDateTime.parse(value, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant());
            return until.isNegative() ? Duration.ZERO : until;
        } catch (DateTimeParseException e) {
            return null;
        }
    }
}
