package io.berth.runtime.cdi;

import io.berth.runtime.cdi.CdiSpec.Device;
import io.berth.runtime.cdi.CdiSpec.Edits;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A version of the CDI spec, as far as fields depend on it. */
record CdiVersion(int major, int minor) implements Comparable<CdiVersion> {
    private static final Pattern FORM = Pattern.compile("v?(\\d{1,4})\\.(\\d{1,4})\\.\\d+");
    private static final CdiVersion OLDEST = new CdiVersion(0, 3);

    /** @throws IOException where it is no version, or one that is not known here */
    static CdiVersion parse(String text) throws IOException {
        Matcher matcher = FORM.matcher(text);
        if (!matcher.matches()) {
            throw new IOException("cdiVersion \"" + text + "\" is not a version such as 0.6.0");
        }
        CdiVersion version = new CdiVersion(Integer.parseInt(matcher.group(1)),
                Integer.parseInt(matcher.group(2)));
        if (version.compareTo(OLDEST) < 0 || version.major() > 1) {
            throw new IOException("cdiVersion " + text + " is not known; berth reads 0.3.0 to 1.x");
        }
        return version;
    }

    /** The oldest version that has all that {@code spec} uses. */
    static CdiVersion neededFor(CdiSpec spec) {
        List<Edits> all = new ArrayList<>(List.of(spec.editsForAll()));
        boolean annotated = spec.annotations() != null
                || spec.kind().substring(spec.kind().indexOf('/') + 1).contains(".");
        boolean digit = false;
        for (Device device : spec.devices()) {
            all.add(device.edits() == null ? Edits.NONE : device.edits());
            annotated |= device.annotations() != null;
            digit |= !device.name().isEmpty() && Character.isDigit(device.name().charAt(0));
        }
        if (all.stream().anyMatch(edits -> !edits.netDevices().isEmpty())) {
            return new CdiVersion(1, 1);
        }
        if (all.stream().anyMatch(edits -> edits.intelRdt() != null || !edits.additionalGids().isEmpty())) {
            return new CdiVersion(0, 7);
        }
        if (annotated) {
            return new CdiVersion(0, 6);
        }
        if (digit || all.stream().flatMap(edits -> edits.deviceNodes().stream())
                .anyMatch(node -> node.hostPath() != null)) {
            return new CdiVersion(0, 5);
        }
        return all.stream().flatMap(edits -> edits.mounts().stream()).anyMatch(mount -> mount.type() != null)
                ? new CdiVersion(0, 4)
                : OLDEST;
    }

    @Override
    public int compareTo(CdiVersion other) {
        return major != other.major
                ? Integer.compare(major, other.major)
                : Integer.compare(minor, other.minor);
    }

    @Override
    public String toString() {
        return major + "." + minor + ".0";
    }
}
