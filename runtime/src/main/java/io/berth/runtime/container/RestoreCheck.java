package io.berth.runtime.container;

import com.fasterxml.jackson.databind.JsonNode;
import io.berth.runtime.lifecycle.LifecycleException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.Map;
import java.util.TreeSet;

/**
 * Refuses what a restore cannot obey. criu brings processes back as they were: their credentials, confinement, namespaces
 * and mount points are the checkpoint's, whatever the request says. Only where a mount comes from is the request's.
 */
final class RestoreCheck {
    private final JsonNode was;
    private final JsonNode wanted;
    private final List<String> differences = new ArrayList<>();

    private RestoreCheck(JsonNode was, JsonNode wanted) {
        this.was = was;
        this.wanted = wanted;
    }

    /**
     * Compares the spec of the checkpointed container with the new one's.
     *
     * @throws LifecycleException INVALID naming every field that differs
     */
    static void check(JsonNode was, JsonNode wanted, boolean exact, String origin) throws LifecycleException {
        RestoreCheck check = new RestoreCheck(was, wanted);
        check.process(exact);
        check.namespaces();
        check.mounts();
        if (!check.differences.isEmpty()) {
            throw new LifecycleException(LifecycleException.Kind.INVALID,
                    "config does not fit the checkpoint in "
                            + origin + ": " + String.join("; ", check.differences)
                            + ". A restored process keeps what it had; ask for the same, or start a new container");
        }
    }

    private void process(boolean exact) {
        same("linux.security_context.run_as_user", "user/uid");
        same("linux.security_context.run_as_group", "user/gid");
        if (!gids(was).equals(gids(wanted))) {
            differences.add(
                    "linux.security_context.supplemental_groups: was " + gids(was) + ", is " + gids(wanted));
        }
        for (String set : List.of("bounding", "effective", "permitted", "ambient")) {
            JsonNode before = was.at("/process/capabilities/" + set);
            JsonNode after = wanted.at("/process/capabilities/" + set);
            if (!words(before).equals(words(after))) {
                differences.add("linux.security_context.capabilities (" + set + "): was " + words(before)
                        + ", is " + words(after));
            }
        }
        same("linux.security_context.no_new_privs", "noNewPrivileges");
        same("tty", "terminal");
        if (exact) {
            same("command and args", "args");
            same("working_dir", "cwd");
            if (!environment(was).equals(environment(wanted))) {
                // Values may be secrets.
                differences.add("envs differ");
            }
        }
    }

    /** Absent, false and empty are the same. */
    private void same(String field, String... paths) {
        for (String path : paths) {
            String before = text(was.at("/process/" + path));
            String after = text(wanted.at("/process/" + path));
            if (!before.equals(after)) {
                differences.add(field + ": was " + before + ", is " + after);
            }
        }
    }

    private static Set<String> environment(JsonNode spec) {
        Set<String> env = words(spec.at("/process/env"));
        // Of the pod and not of the request.
        env.removeIf(entry -> entry.startsWith("HOSTNAME="));
        return env;
    }

    private static String text(JsonNode value) {
        return value.isContainerNode() ? value.toString() : value.asText("").replaceFirst("^$", "false");
    }

    private static Set<Long> gids(JsonNode spec) {
        Set<Long> gids = new TreeSet<>();
        spec.at("/process/user/additionalGids").forEach(gid -> gids.add(gid.asLong()));
        // Some runtimes write the primary group here, too.
        gids.remove(spec.at("/process/user/gid").asLong());
        return gids;
    }

    /** Which are the container's own, which are joined and which are the node's. */
    private void namespaces() {
        Map<String, Boolean> before = namespaces(was);
        Map<String, Boolean> after = namespaces(wanted);
        if (!before.equals(after)) {
            differences.add("linux.security_context.namespace_options: was " + before + ", is " + after
                    + " (true: joined)");
        }
    }

    private static Map<String, Boolean> namespaces(JsonNode spec) {
        Map<String, Boolean> result = new TreeMap<>();
        spec.at("/linux/namespaces").forEach(namespace -> result.put(namespace.path("type").asText(),
                !namespace.path("path").asText().isEmpty()));
        return result;
    }

    private void mounts() {
        Set<String> before = bindDestinations(was);
        Set<String> after = bindDestinations(wanted);
        Set<String> missing = new TreeSet<>(before);
        missing.removeAll(after);
        Set<String> surplus = new TreeSet<>(after);
        surplus.removeAll(before);
        if (!missing.isEmpty()) {
            differences.add("mounts: it has " + missing + ", which the request lacks");
        }
        if (!surplus.isEmpty()) {
            differences.add("mounts: the request has " + surplus + ", which it lacks");
        }
    }

    private static Set<String> bindDestinations(JsonNode spec) {
        Set<String> destinations = new TreeSet<>();
        spec.path("mounts").forEach(mount -> {
            if (ContainerCheckpoint.isBind(mount)) {
                destinations.add(mount.path("destination").asText());
            }
        });
        return destinations;
    }

    private static Set<String> words(JsonNode array) {
        Set<String> words = new TreeSet<>();
        array.forEach(word -> words.add(word.asText()));
        return words;
    }
}
