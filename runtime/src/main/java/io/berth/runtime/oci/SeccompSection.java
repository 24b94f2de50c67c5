package io.berth.runtime.oci;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.cri.v1.LinuxContainerSecurityContext;
import io.berth.cri.v1.SecurityProfile;
import io.berth.cri.v1.SecurityProfile.ProfileType;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The OCI {@code linux.seccomp} of a container. */
final class SeccompSection {
    private static final String LOCALHOST = "localhost/";
    private static final String BUILT_IN = "seccomp-default.json";

    private static volatile @Nullable SeccompProfile builtIn;

    private SeccompSection() {}

    /**
     * The field {@code seccomp} counts before the deprecated {@code seccomp_profile_path}; neither, or privileged, means
     * unconfined.
     *
     * @param granted the container's capabilities, by which the default profile opens further calls
     */
    static Optional<ObjectNode> build(SpecInput input, Set<String> granted) throws OciException {
        SecurityProfile wanted = wanted(input.security());
        if (wanted.getProfileType() == ProfileType.Unconfined || input.privileged()) {
            return Optional.empty();
        }
        if (!input.host().seccomp()) {
            throw OciException.unsupported("seccomp", "this node's kernel has no seccomp filters, so "
                    + wanted.getProfileType() + " cannot be applied; use Unconfined or another node");
        }
        SeccompProfile profile = switch (wanted.getProfileType()) {
            case RuntimeDefault -> runtimeDefault(input);
            case Localhost -> localhost(wanted.getLocalhostRef());
            case Unconfined, UNRECOGNIZED -> throw OciException.invalid("seccomp.profile_type",
                    "unknown value " + wanted.getProfileTypeValue());
        };
        ObjectNode resolved = profile.resolve(granted, System.getProperty("os.arch"), input.host().kernel());
        return Optional.of(input.host().x32() ? resolved : withoutX32(resolved));
    }

    /**
     * A filter has a part for each architecture, and making that of x32 takes an OCI runtime 3 ms of a container's start. A
     * kernel without x32 starts no such program.
     */
    private static ObjectNode withoutX32(ObjectNode profile) {
        if (profile.path("architectures") instanceof ArrayNode architectures && architectures.size() > 1) {
            architectures.removeIf(architecture -> architecture.asText().equals("SCMP_ARCH_X32"));
        }
        return profile;
    }

    @SuppressWarnings("deprecation") // Older kubelets send only the deprecated field.
    private static SecurityProfile wanted(LinuxContainerSecurityContext request) throws OciException {
        if (request.hasSeccomp()) {
            return request.getSeccomp();
        }
        String text = request.getSeccompProfilePath();
        SecurityProfile.Builder profile = SecurityProfile.newBuilder();
        return switch (text) {
            case "", "unconfined" -> profile.setProfileType(ProfileType.Unconfined).build();
            case "runtime/default", "docker/default" ->
                profile.setProfileType(ProfileType.RuntimeDefault).build();
            default -> {
                if (!text.startsWith(LOCALHOST)) {
                    throw OciException.invalid("seccomp_profile_path", "\"" + text
                            + "\" is none of runtime/default, unconfined, localhost/<absolute path>");
                }
                yield profile.setProfileType(ProfileType.Localhost).setLocalhostRef(text).build();
            }
        };
    }

    private static SeccompProfile runtimeDefault(SpecInput input) throws OciException {
        Optional<Path> file = input.seccompDefault();
        return file.isPresent()
                ? new SeccompProfile(read(file.get(), "[seccomp] profile"), "seccomp profile " + file.get())
                : builtIn();
    }

    /** Parsed once: nobody changes a profile, resolving copies. */
    static SeccompProfile builtIn() throws OciException {
        SeccompProfile known = builtIn;
        if (known == null) {
            known = readBuiltIn();
            builtIn = known;
        }
        return known;
    }

    private static SeccompProfile readBuiltIn() throws OciException {
        try (InputStream in = SeccompSection.class.getResourceAsStream(BUILT_IN)) {
            if (in == null) {
                throw new IllegalStateException(BUILT_IN + " is missing from the installation");
            }
            return new SeccompProfile(OciSpec.parseJson(in.readAllBytes(), BUILT_IN), BUILT_IN);
        } catch (OciException e) {
            throw e;
        } catch (IOException e) {
            throw new OciException(OciException.Kind.FAILED, "read " + BUILT_IN + ": " + e.getMessage(), e);
        }
    }

    private static SeccompProfile localhost(String reference) throws OciException {
        String path = reference.startsWith(LOCALHOST) ? reference.substring(LOCALHOST.length()) : reference;
        if (!path.startsWith("/")) {
            throw OciException.invalid("seccomp.localhost_ref", "\"" + path + "\" is not an absolute path");
        }
        return new SeccompProfile(read(Path.of(path), "seccomp.localhost_ref"), "seccomp profile " + path);
    }

    private static JsonNode read(Path file, String field) throws OciException {
        try {
            return OciSpec.parseJson(Files.readAllBytes(file), "seccomp profile " + file);
        } catch (OciException e) {
            throw e;
        } catch (NoSuchFileException e) {
            throw OciException.invalid(field, "seccomp profile " + file + " does not exist on this node");
        } catch (IOException e) {
            throw OciException.invalid(field,
                    "seccomp profile " + file + " cannot be read: " + e.getMessage());
        }
    }
}
