package io.berth.runtime.daemon;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import java.util.Properties;

/**
 * What was installed with this program.
 *
 * @param version of the build
 * @param home top of the installed tree ({@code bin}, {@code lib}, {@code libexec}); empty where the program runs from
 *        classes, as in a test
 */
public record Installation(String version, Optional<Path> home) {
    /** The launcher sets this system property. */
    private static final String HOME_PROPERTY = "berth.home";

    /** The installation that this process runs from. */
    public static Installation current() {
        return new Installation(readVersion(),
                Optional.ofNullable(System.getProperty(HOME_PROPERTY)).filter(home -> !home.isEmpty())
                        .map(Path::of));
    }

    /** The shim that came with this program. */
    public Optional<Path> shim() {
        return home.map(top -> top.resolve("libexec/berth-shim"));
    }

    private static String readVersion() {
        try (InputStream in = Installation.class.getResourceAsStream("version.properties")) {
            var properties = new Properties();
            properties.load(Objects.requireNonNull(in, "version.properties is missing from the jar"));
            return Objects.requireNonNull(properties.getProperty("version"));
        } catch (IOException e) {
            throw new UncheckedIOException("version.properties in the jar cannot be read", e);
        }
    }
}
