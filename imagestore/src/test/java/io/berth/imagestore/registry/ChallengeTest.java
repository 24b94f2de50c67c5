package io.berth.imagestore.registry;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ChallengeTest {
    @Test
    void parametersComeInAnyOrderQuotedOrNot() {
        assertThat(Challenge.parse(List.of(
                "Bearer scope=\"repository:a/b:pull,push\",realm = \"https://auth.example/token?x=1\" , service=reg")))
                .containsExactly(new Challenge("bearer", Map.of("scope", "repository:a/b:pull,push", "realm",
                        "https://auth.example/token?x=1", "service", "reg")));
    }

    @Test
    void oneHeaderMayHoldSeveralChallengesAndSeveralHeadersToo() {
        assertThat(Challenge.parse(List.of("Basic realm=\"a \\\"b\\\"\", Bearer realm=\"c\"", "Negotiate")))
                .containsExactly(new Challenge("basic", Map.of("realm", "a \"b\"")),
                        new Challenge("bearer", Map.of("realm", "c")), new Challenge("negotiate", Map.of()));
    }

    @Test
    void rubbishEndsAndThrowsNothing() {
        for (String text : List.of("", " ", "=", ",,,", "\"", "a=\"", "Bearer realm=\"x", "Bearer =",
                "Bearer a==b",
                "Bearer \"x\" y=z", "\\")) {
            assertThat(Challenge.parse(List.of(text))).hasSizeLessThan(5);
        }
    }

    @Test
    void retryAfterIsSecondsOrADate() {
        Instant now = Instant.parse("2026-11-22T06:00:00Z");
        assertThat(RetryAfter.parse("7", now)).isEqualTo(Duration.ofSeconds(7));
        assertThat(RetryAfter.parse("Sun, 22 Nov 2026 06:00:09 GMT", now)).isEqualTo(Duration.ofSeconds(9));
        assertThat(RetryAfter.parse("Sun, 22 Nov 2026 05:00:00 GMT", now)).isZero();
        assertThat(RetryAfter.parse("soon", now)).isNull();
        assertThat(RetryAfter.parse("", now)).isNull();
    }
}
