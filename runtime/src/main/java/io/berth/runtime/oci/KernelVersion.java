package io.berth.runtime.oci;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The kernel's release, as far as features depend on it. */
public record KernelVersion(int major, int minor) implements Comparable<KernelVersion> {
    private static final Pattern RELEASE = Pattern.compile("(\\d+)\\.(\\d+).*", Pattern.DOTALL);

    /** Reads {@code 6.1.0-18-amd64} as 6.1. Throws IllegalArgumentException for text that starts otherwise. */
    public static KernelVersion parse(String release) {
        Matcher matcher = RELEASE.matcher(release);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("not a kernel release: " + release.strip());
        }
        return new KernelVersion(Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)));
    }

    public boolean atLeast(int wantedMajor, int wantedMinor) {
        return compareTo(new KernelVersion(wantedMajor, wantedMinor)) >= 0;
    }

    @Override
    public String toString() {
        return major + "." + minor;
    }

    @Override
    public int compareTo(KernelVersion other) {
        return major != other.major
                ? Integer.compare(major, other.major)
                : Integer.compare(minor, other.minor);
    }
}
