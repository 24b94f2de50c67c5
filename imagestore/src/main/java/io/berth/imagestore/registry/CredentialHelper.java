package io.berth.imagestore.registry;

import com.fasterxml.jackson.databind.JsonNode;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import io.berth.linux.ChildProcess;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A program {@code docker-credential-<name>} that knows credentials: asked with {@code get} and the server on its standard
 * input, it answers with {@code Username} and {@code Secret} in JSON.
 */
final class CredentialHelper {
    private static final String PROGRAM = "docker-credential-";
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");
    private static final Duration DEADLINE = Duration.ofSeconds(20);
    private static final int MAX_ANSWER = 1 << 20;
    /** What helpers print, with status 1, where they know nothing of a server. */
    private static final String UNKNOWN_SERVER = "credentials not found in native keychain";
    /** The user name that marks the secret as an identity token. */
    private static final String IDENTITY_TOKEN = "<token>";

    private final Map<String, String> environment;

    /** @param environment of this process; helpers get it, and its {@code PATH} says where they are */
    CredentialHelper(Map<String, String> environment) {
        this.environment = Map.copyOf(environment);
    }

    /**
     * What helper {@code name} has for {@code server}; anonymous where it has nothing.
     *
     * @throws ImageException INVALID where the helper is missing or fails; it quotes nothing that the helper has said
     */
    Credentials get(String name, String server) throws ImageException {
        String program = PROGRAM + name;
        ChildProcess.Outcome outcome;
        try {
            outcome = new ChildProcess(List.of(find(name).toString(), "get"), environment)
                    .run((server + "\n").getBytes(StandardCharsets.UTF_8), MAX_ANSWER, DEADLINE);
        } catch (ImageException e) {
            throw e;
        } catch (IOException e) {
            throw new ImageException(Kind.INVALID, "credential helper " + program + " cannot be run: "
                    + e.getMessage(), e);
        }
        if (outcome.timedOut()) {
            throw new ImageException(Kind.INVALID, "credential helper " + program + " did not answer for "
                    + server + " within " + DEADLINE.toSeconds() + " s");
        }
        if (outcome.exitCode() != 0) {
            if (outcome.output().strip().equals(UNKNOWN_SERVER)) {
                return new Credentials.Anonymous();
            }
            throw new ImageException(Kind.INVALID, "credential helper " + program + " failed for " + server
                    + " with status " + outcome.exitCode() + "; run it by hand: echo " + server + " | "
                    + program + " get");
        }
        return read(program, server, outcome);
    }

    private static Credentials read(String program, String server, ChildProcess.Outcome outcome)
            throws ImageException {
        try {
            JsonNode answer = ImageJson.read(outcome.output().getBytes(StandardCharsets.UTF_8));
            String user = answer.path("Username").asText("");
            String secret = answer.path("Secret").asText("");
            if (!user.isEmpty() || !secret.isEmpty()) {
                return user.equals(IDENTITY_TOKEN)
                        ? new Credentials.Identity(secret)
                        : new Credentials.Basic(user, secret);
            }
        } catch (ImageJson.Malformed e) {
            // Told below, without what it says.
        }
        throw new ImageException(Kind.INVALID, "credential helper " + program + " answers for " + server
                + " something that is not Username and Secret in JSON");
    }

    private Path find(String name) throws ImageException {
        if (!NAME.matcher(name).matches()) {
            throw new ImageException(Kind.INVALID, "a credential helper's name must be letters, digits, '.',"
                    + " '_' and '-', as \"ecr-login\" for docker-credential-ecr-login");
        }
        String path = environment.getOrDefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin");
        return Stream.of(path.split(":")).filter(directory -> directory.startsWith("/"))
                .map(directory -> Path.of(directory, PROGRAM + name)).filter(Files::isExecutable).findFirst()
                .orElseThrow(() -> new ImageException(Kind.INVALID, "credential helper " + PROGRAM + name
                        + " is not on the daemon's PATH (" + path + "); install it there"));
    }
}
