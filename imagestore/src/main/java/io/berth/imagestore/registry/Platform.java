package io.berth.imagestore.registry;

import java.util.Locale;

/**
 * What an image is built for (OCI image-spec, "Image Index", {@code platform}).
 *
 * @param variant such as {@code v7}; empty where the architecture has none or its baseline is meant
 */
public record Platform(String os, String architecture, String variant) {
    /** The platform of the machine this runs on. */
    public static Platform ofThisNode() {
        String arch = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
        return switch (arch) {
            case "amd64", "x86_64" -> new Platform("linux", "amd64", "v" + X86Level.ofThisNode());
            case "aarch64", "arm64" -> new Platform("linux", "arm64", "v8");
            case "arm", "armv7l" -> new Platform("linux", "arm", "v7");
            default -> new Platform("linux", arch, "");
        };
    }

    /**
     * How well an image built for {@code offered} runs here: negative for not at all, else the higher the better. Variants
     * of an architecture build on each other, so an older one runs, and the newest that runs is best.
     */
    int suits(Platform offered) {
        if (!os.equals(offered.os) || !architecture.equals(offered.architecture)) {
            return -1;
        }
        int mine = level(variant);
        int theirs = level(offered.variant);
        return theirs <= mine ? theirs : -1;
    }

    private int level(String name) {
        if (name.isEmpty()) {
            return switch (architecture) {
                case "arm64" -> 8;
                case "arm" -> 7;
                default -> 1;
            };
        }
        // v8.1 and the like: features that cannot be told from here, so only whole versions count.
        if (name.length() < 2 || name.charAt(0) != 'v' || !name.chars().skip(1).allMatch(Character::isDigit)
                || name.length() > 3) {
            return Integer.MAX_VALUE;
        }
        return Integer.parseInt(name.substring(1));
    }

    @Override
    public String toString() {
        return os + "/" + architecture + (variant.isEmpty() ? "" : "/" + variant);
    }
}
