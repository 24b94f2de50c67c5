package io.berth.runtime.oci;

import io.berth.cri.v1.SELinuxOption;
import java.util.Optional;

/**
 * The SELinux contexts of a container.
 *
 * @param process the context of its processes
 * @param mount the context of its files
 */
record SelinuxLabels(String process, String mount) {
    /**
     * What the request asks for, on a node with SELinux. Elsewhere it is without effect, as Kubernetes has it: pods carry
     * labels to nodes of both kinds.
     *
     * @throws OciException INVALID for a part with a colon, which would be another part
     */
    static Optional<SelinuxLabels> of(SpecInput input) throws OciException {
        SELinuxOption wanted = input.security().getSelinuxOptions();
        check("selinux_options.user", wanted.getUser());
        check("selinux_options.role", wanted.getRole());
        check("selinux_options.type", wanted.getType());
        boolean empty = wanted.equals(SELinuxOption.getDefaultInstance());
        if (empty || input.privileged() || !input.host().seLinux()) {
            return Optional.empty();
        }
        String user = orElse(wanted.getUser(), "system_u");
        String level = orElse(wanted.getLevel(), "s0");
        return Optional.of(new SelinuxLabels(
                user + ":" + orElse(wanted.getRole(), "system_r") + ":"
                        + orElse(wanted.getType(), "container_t")
                        + ":" + level,
                user + ":object_r:container_file_t:" + level));
    }

    private static void check(String field, String part) throws OciException {
        if (part.indexOf(':') >= 0) {
            throw OciException.invalid(field, "\"" + part + "\" holds a colon");
        }
    }

    private static String orElse(String value, String fallback) {
        return value.isEmpty() ? fallback : value;
    }
}
