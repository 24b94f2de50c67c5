package io.berth.runtime.oci;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** Gives the kernel the AppArmor profile that RuntimeDefault means. */
public final class AppArmorLoader {
    private static final List<Path> PARSERS = List.of(Path.of("/usr/sbin/apparmor_parser"),
            Path.of("/sbin/apparmor_parser"));
    private static final String PROFILE = "apparmor-default.profile";
    private static final Duration DEADLINE = Duration.ofSeconds(30);

    private AppArmorLoader() {}

    /** The program that compiles profiles; without it a node cannot be said to have AppArmor for containers. */
    static Optional<Path> parser(Path root) {
        return PARSERS.stream()
                .map(parser -> root.resolve(Path.of("/").relativize(parser)))
                .filter(Files::isExecutable)
                .findFirst();
    }

    /**
     * Loads {@link AppArmorProfile#DEFAULT}, or replaces that of an older version; containers under it go on under the new
     * one. Only for a node that has AppArmor ({@link HostFacts#appArmor}).
     *
     * @throws OciException UNSUPPORTED without apparmor_parser, FAILED with its own words where it refuses
     */
    public static void loadDefault() throws OciException {
        Path parser = parser(Path.of("/")).orElseThrow(() -> new OciException(OciException.Kind.UNSUPPORTED,
                "load AppArmor profile " + AppArmorProfile.DEFAULT
                        + ": apparmor_parser is not installed; install the apparmor package"));
        // Its cache may be read-only, and one profile compiles in no time.
        OciCommand.Result result = OciCommand.run(
                List.of(parser.toString(), "--skip-cache", "--replace", "--quiet"), profile(), DEADLINE);
        if (result.exitCode() != 0) {
            throw new OciException(OciException.Kind.FAILED,
                    "load AppArmor profile " + AppArmorProfile.DEFAULT
                            + ": apparmor_parser (exit code " + result.exitCode() + "): " + result.error());
        }
    }

    private static byte[] profile() {
        try (InputStream in = AppArmorLoader.class.getResourceAsStream(PROFILE)) {
            if (in == null) {
                throw new IllegalStateException(PROFILE + " is missing from the installation");
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new IllegalStateException(PROFILE + " cannot be read from the installation", e);
        }
    }
}
