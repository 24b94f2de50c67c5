package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.imagestore.RegistryAuth;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.AbstractThrowableAssert;
import org.assertj.core.api.Assertions;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;

/** Clients with the patience of a test. */
final class TestOptions {
    static final Platform AMD64 = new Platform("linux", "amd64", "");

    private TestOptions() {}

    static RegistryOptions options(@Nullable Path registriesConf, @Nullable Path certificates,
            Map<String, String> environment) {
        return options(new RegistryFiles(registriesConf, List.of(),
                certificates == null ? List.of() : List.of(certificates), null, null), environment);
    }

    static RegistryOptions options(RegistryFiles files, Map<String, String> environment) {
        return new RegistryOptions(files, AMD64, environment, Duration.ofSeconds(5), Duration.ofMillis(800),
                4, Duration.ofMillis(4),
                Duration.ofSeconds(2));
    }

    static RegistryClient client() throws ImageException {
        return RegistryClient.open(options(null, null, Map.of()));
    }

    static RegistryClient client(@Nullable Path registriesConf, @Nullable Path certificates)
            throws ImageException {
        return RegistryClient.open(options(registriesConf, certificates, Map.of()));
    }

    static RegistryAuth basic(String username, String password) {
        return new RegistryAuth(username, password, "", "", "", "");
    }

    /** Asserts that {@code call} fails with {@code kind} and says all of {@code texts}. */
    static void fails(ThrowingCallable call, Kind kind, String... texts) {
        AbstractThrowableAssert<?, ? extends Throwable> failure = Assertions.assertThatThrownBy(call)
                .isInstanceOf(ImageException.class).hasMessageContainingAll(texts);
        failure.satisfies(e -> Assertions.assertThat(((ImageException) e).kind()).isEqualTo(kind));
    }
}
