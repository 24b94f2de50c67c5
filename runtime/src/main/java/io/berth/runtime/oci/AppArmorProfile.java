package io.berth.runtime.oci;

import io.berth.cri.v1.LinuxContainerSecurityContext;
import io.berth.cri.v1.SecurityProfile;
import io.berth.cri.v1.SecurityProfile.ProfileType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Which AppArmor profile confines a container. */
public final class AppArmorProfile {
    /** The profile that RuntimeDefault means. */
    public static final String DEFAULT = "berth-default";

    private static final Path LOADED = Path.of("/sys/kernel/security/apparmor/profiles");
    private static final String LOCALHOST = "localhost/";

    private AppArmorProfile() {}

    /** The OCI {@code process.apparmorProfile}; empty for none. */
    static Optional<String> of(SpecInput input) throws OciException {
        return of(input.security(), input.host(), LOADED);
    }

    /**
     * Sees to it that the kernel has the default profile if {@code spec} names it. It was loaded when the daemon started, but a
     * tool like aa-remove-unknown throws it out, as a profile without a file.
     */
    public static void keepLoaded(OciSpec spec) throws OciException {
        boolean named = spec.json().at("/process/apparmorProfile").asText().equals(DEFAULT);
        if (named && !isLoaded(DEFAULT, LOADED)) {
            AppArmorLoader.loadDefault();
        }
    }

    /**
     * The field {@code apparmor} counts before the deprecated {@code apparmor_profile}. With neither, a node with AppArmor
     * confines by its default, and a privileged container has none but a profile that it names.
     */
    static Optional<String> of(LinuxContainerSecurityContext request, HostFacts host, Path loaded)
            throws OciException {
        SecurityProfile wanted = wanted(request);
        if (!host.appArmor()) {
            if (isStated(request) && wanted.getProfileType() != ProfileType.Unconfined) {
                throw OciException.invalid("apparmor",
                        "this node's kernel has no AppArmor (or it is off), so "
                                + wanted.getProfileType()
                                + " cannot be applied; use Unconfined or another node");
            }
            return Optional.empty();
        }
        return switch (wanted.getProfileType()) {
            case Unconfined -> Optional.empty();
            case RuntimeDefault -> request.getPrivileged() ? Optional.empty() : Optional.of(DEFAULT);
            case Localhost -> Optional.of(loadedProfile(wanted.getLocalhostRef(), loaded));
            case UNRECOGNIZED -> throw OciException.invalid("apparmor.profile_type",
                    "unknown value " + wanted.getProfileTypeValue());
        };
    }

    @SuppressWarnings("deprecation") // Older kubelets send only the deprecated field.
    private static SecurityProfile wanted(LinuxContainerSecurityContext request) throws OciException {
        if (request.hasApparmor()) {
            return request.getApparmor();
        }
        String text = request.getApparmorProfile();
        SecurityProfile.Builder profile = SecurityProfile.newBuilder();
        return switch (text) {
            case "", "runtime/default" -> profile.setProfileType(ProfileType.RuntimeDefault).build();
            case "unconfined" -> profile.setProfileType(ProfileType.Unconfined).build();
            default -> {
                if (!text.startsWith(LOCALHOST)) {
                    throw OciException.invalid("apparmor_profile", "\"" + text
                            + "\" is none of runtime/default, unconfined, localhost/<profile>");
                }
                yield profile.setProfileType(ProfileType.Localhost).setLocalhostRef(text).build();
            }
        };
    }

    @SuppressWarnings("deprecation") // As above.
    private static boolean isStated(LinuxContainerSecurityContext request) {
        return request.hasApparmor() || !request.getApparmorProfile().isEmpty();
    }

    private static String loadedProfile(String reference, Path loaded) throws OciException {
        String name = reference.startsWith(LOCALHOST) ? reference.substring(LOCALHOST.length()) : reference;
        if (name.isEmpty()) {
            throw OciException.invalid("apparmor.localhost_ref", "is empty; name the profile");
        }
        if (!isLoaded(name, loaded)) {
            throw OciException.invalid("apparmor.localhost_ref", "profile \"" + name
                    + "\" is not loaded on this node; load it with apparmor_parser");
        }
        return name;
    }

    /** The kernel lists a profile a line: {@code name (mode)}. */
    private static boolean isLoaded(String name, Path loaded) throws OciException {
        try (var lines = Files.lines(loaded)) {
            return lines.anyMatch(line -> line.startsWith(name + " ("));
        } catch (IOException e) {
            throw new OciException(OciException.Kind.FAILED,
                    "read the loaded AppArmor profiles in " + loaded + ": " + e.getMessage(), e);
        }
    }
}
