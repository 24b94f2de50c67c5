package io.berth.imagestore.registry;

import io.berth.imagestore.ImageException;
import java.util.Locale;
import java.util.Objects;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The name of an image, normalised by the rules that docker, containerd and CRI-O share: {@code busybox} is
 * {@code docker.io/library/busybox:latest}, and the first component is a registry where it has a dot, a colon or an
 * upper case letter, or is {@code localhost}.
 *
 * @param registry host, with its port where one was given; {@code docker.io} for Docker Hub
 * @param repository path below the registry, such as {@code library/busybox}
 * @param tag null only where there is a digest
 * @param digest null where the image is named by its tag alone
 */
public record ImageReference(String registry, String repository, @Nullable String tag,
        @Nullable Digest digest) {
    private static final String DOCKER_HUB = "docker.io";
    private static final String DOCKER_LIBRARY = "library/";
    private static final int MAX_REPOSITORY = 255;
    private static final int MAX_TEXT = 1024;

    private static final Pattern HOST = Pattern
            .compile("(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
                    + "(?:\\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\\[[0-9A-Fa-f:]+])(?::(?<port>[0-9]{1,5}))?");
    private static final Pattern COMPONENT = Pattern.compile("[a-z0-9]++(?:(?:\\.|_|__|-++)[a-z0-9]++)*+");
    private static final Pattern TAG = Pattern.compile("\\w[\\w.-]{0,127}");
    private static final Pattern BARE_ID = Pattern.compile("[0-9a-f]{64}");

    public ImageReference {
        if (tag == null && digest == null) {
            throw new IllegalArgumentException("a reference needs a tag or a digest");
        }
    }

    /**
     * Parses and normalises; {@code latest} where there is neither tag nor digest.
     *
     * @throws ImageException INVALID, saying what is wrong
     */
    public static ImageReference parse(String text) throws ImageException {
        checkWhole(text);
        String rest = text;
        Digest digest = null;
        int at = rest.indexOf('@');
        if (at >= 0) {
            digest = parseDigest(text, rest.substring(at + 1));
            rest = rest.substring(0, at);
        }
        String tag = null;
        int colon = rest.lastIndexOf(':');
        if (colon > rest.lastIndexOf('/')) {
            tag = rest.substring(colon + 1);
            rest = rest.substring(0, colon);
            if (!TAG.matcher(tag).matches()) {
                throw invalid(text, "tag \"" + tag + "\" must be 1 to 128 letters, digits, '_', '.' or '-',"
                        + " and not start with '.' or '-'");
            }
        }
        if (tag == null && digest == null) {
            if (BARE_ID.matcher(rest).matches()) {
                throw invalid(text, "64 hex digits are an image id, not a name");
            }
            tag = "latest";
        }
        return parseName(text, rest, tag, digest);
    }

    /** Everything, fully qualified: {@code docker.io/library/busybox:1.37}, with {@code @sha256:...} where known. */
    public String canonical() {
        return name() + suffix();
    }

    /** The short form people type: {@code busybox:1.37}. */
    public String familiar() {
        String name = name();
        if (registry.equals(DOCKER_HUB)) {
            name = repository.startsWith(DOCKER_LIBRARY)
                    && repository.indexOf('/', DOCKER_LIBRARY.length()) < 0
                            ? repository.substring(DOCKER_LIBRARY.length())
                            : repository;
        }
        return name + suffix();
    }

    /** Registry and repository: {@code docker.io/library/busybox}. */
    public String name() {
        return registry + "/" + repository;
    }

    /** The same repository, by digest alone. */
    public ImageReference withDigest(Digest other) {
        return new ImageReference(registry, repository, null, other);
    }

    /** What the registry is asked for: the digest where there is one, else the tag. */
    String manifestKey() {
        return digest != null ? digest.toString() : Objects.requireNonNull(tag);
    }

    @Override
    public String toString() {
        return canonical();
    }

    private String suffix() {
        return (tag == null ? "" : ":" + tag) + (digest == null ? "" : "@" + digest);
    }

    private static void checkWhole(String text) throws ImageException {
        if (text.isEmpty()) {
            throw invalid(text, "it is empty");
        }
        if (text.length() > MAX_TEXT) {
            throw invalid(text.substring(0, 64) + "...",
                    "it has " + text.length() + " characters, at most " + MAX_TEXT + " are allowed");
        }
        if (text.contains("://")) {
            throw invalid(text, "it is a URL; leave out the scheme, as in registry.example.com/app:1.0");
        }
        if (text.chars().anyMatch(c -> c <= ' ' || c >= 127)) {
            throw invalid(text, "it has a space, control or non-ASCII character");
        }
    }

    private static Digest parseDigest(String text, String digest) throws ImageException {
        try {
            return Digest.parse(digest);
        } catch (ImageException e) {
            throw new ImageException(e.kind(), "invalid image reference \"" + text + "\": " + e.getMessage(),
                    e);
        }
    }

    private static ImageReference parseName(String text, String name, @Nullable String tag,
            @Nullable Digest digest)
            throws ImageException {
        String registry = DOCKER_HUB;
        String repository = name;
        int slash = name.indexOf('/');
        if (slash >= 0 && isRegistry(name.substring(0, slash))) {
            registry = name.substring(0, slash);
            repository = name.substring(slash + 1);
            checkRegistry(text, registry);
        }
        if (registry.equals("index.docker.io")) {
            registry = DOCKER_HUB;
        }
        checkRepository(text, repository);
        if (registry.equals(DOCKER_HUB) && repository.indexOf('/') < 0) {
            repository = DOCKER_LIBRARY + repository;
        }
        return new ImageReference(registry, repository, tag, digest);
    }

    private static boolean isRegistry(String component) {
        return component.indexOf('.') >= 0 || component.indexOf(':') >= 0 || component.equals("localhost")
                || !component.equals(component.toLowerCase(Locale.ROOT));
    }

    private static void checkRegistry(String text, String registry) throws ImageException {
        var host = HOST.matcher(registry);
        if (!host.matches()) {
            throw invalid(text, "\"" + registry + "\" is not a host name with an optional port");
        }
        String port = host.group("port");
        if (port != null && Integer.parseInt(port) > 65535) {
            throw invalid(text, "port " + port + " is above 65535");
        }
    }

    private static void checkRepository(String text, String repository) throws ImageException {
        if (repository.isEmpty()) {
            throw invalid(text, "it names no repository");
        }
        if (repository.length() > MAX_REPOSITORY) {
            throw invalid(text, "the repository has " + repository.length() + " characters, at most "
                    + MAX_REPOSITORY + " are allowed");
        }
        for (String component : repository.split("/", -1)) {
            if (component.isEmpty()) {
                throw invalid(text, "the repository \"" + repository + "\" has an empty path component");
            }
            if (!component.equals(component.toLowerCase(Locale.ROOT))) {
                throw invalid(text, "the repository \"" + repository + "\" must be lower case");
            }
            if (!COMPONENT.matcher(component).matches()) {
                throw invalid(text,
                        "\"" + component + "\" must be lower case letters and digits, separated by"
                                + " '.', '_', '__' or '-'");
            }
        }
    }

    private static ImageException invalid(String text, String why) {
        return new ImageException(ImageException.Kind.INVALID,
                "invalid image reference \"" + text + "\": " + why);
    }
}
