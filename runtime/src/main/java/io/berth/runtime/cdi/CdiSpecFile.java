package io.berth.runtime.cdi;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.berth.runtime.cdi.CdiSpec.Bind;
import io.berth.runtime.cdi.CdiSpec.Device;
import io.berth.runtime.cdi.CdiSpec.Edits;
import io.berth.runtime.cdi.CdiSpec.Hook;
import io.berth.runtime.cdi.CdiSpec.Node;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Reads one spec file and checks all of it, so that what a container asks for later cannot be half a device. */
final class CdiSpecFile {
    private static final ObjectMapper JSON = strict(new JsonMapper());
    private static final ObjectMapper YAML = strict(new YAMLMapper());
    private static final Pattern VENDOR = Pattern.compile("[A-Za-z]([A-Za-z0-9_.-]*[A-Za-z0-9])?");
    private static final Pattern CLASS = Pattern.compile("[A-Za-z]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?");
    private static final Pattern DEVICE = Pattern.compile("[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?");
    private static final Set<String> HOOKS = Set.of("prestart", "createRuntime", "createContainer",
            "startContainer", "poststart", "poststop");

    private CdiSpecFile() {}

    /**
     * Reads {@code file}: YAML where its name ends with {@code .yaml}, else JSON.
     *
     * @throws IOException saying what is wrong with it, without its name
     */
    static CdiSpec read(Path file) throws IOException {
        CdiSpec spec;
        try {
            byte[] text = Files.readAllBytes(file);
            spec = (file.toString().endsWith(".yaml") ? YAML : JSON).readValue(text, CdiSpec.class);
        } catch (JsonProcessingException e) {
            throw new IOException(where(e) + e.getOriginalMessage() + (e.getLocation() == null
                    ? ""
                    : " (line " + e.getLocation().getLineNr() + ")"), e);
        }
        check(spec);
        return spec;
    }

    /** The field, as in {@code devices.0.containerEdits.env}. */
    private static String where(JsonProcessingException e) {
        if (!(e instanceof JsonMappingException mapping) || mapping.getPath().isEmpty()) {
            return "";
        }
        return mapping.getPath().stream()
                .map(step -> step.getFieldName() == null
                        ? Integer.toString(step.getIndex())
                        : step.getFieldName())
                .collect(Collectors.joining(".")) + ": ";
    }

    private static ObjectMapper strict(ObjectMapper mapper) {
        // The spec wants unknown fields refused: a device without them would be another device.
        return mapper.enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
    }

    private static void check(CdiSpec spec) throws IOException {
        CdiVersion version = CdiVersion.parse(spec.version());
        CdiVersion needed = CdiVersion.neededFor(spec);
        need(version.compareTo(needed) >= 0,
                "it has fields of CDI " + needed + ", and cdiVersion " + spec.version());
        int slash = spec.kind().indexOf('/');
        need(slash > 0 && VENDOR.matcher(spec.kind().substring(0, slash)).matches()
                && CLASS.matcher(spec.kind().substring(slash + 1)).matches(),
                "kind \"" + spec.kind() + "\" is not of the form vendor/class");
        need(!spec.devices().isEmpty(), "it has no devices");
        Set<String> names = new HashSet<>();
        for (Device device : spec.devices()) {
            need(DEVICE.matcher(device.name()).matches(), "\"" + device.name() + "\" is no name of a device");
            need(names.add(device.name()), "it has two devices \"" + device.name() + "\"");
            need(device.edits() != null, "device \"" + device.name() + "\" has no containerEdits");
            check("device \"" + device.name() + "\": ", device.edits() == null ? Edits.NONE : device.edits());
        }
        check("", spec.editsForAll());
    }

    private static void check(String where, Edits edits) throws IOException {
        for (String variable : edits.env()) {
            need(variable.indexOf('=') > 0, where + "env \"" + variable + "\" is not NAME=value");
        }
        for (Node node : edits.deviceNodes()) {
            need(node.path().startsWith("/"),
                    where + "deviceNodes.path \"" + node.path() + "\" is not absolute");
            need(node.onNode().startsWith("/"),
                    where + "deviceNodes.hostPath \"" + node.onNode() + "\" is not absolute");
            need(node.type() == null || List.of("", "b", "c", "u", "p").contains(node.type()),
                    where + "deviceNodes.type \"" + node.type() + "\" is not b, c, u or p");
            need(node.permissions() == null || node.permissions().matches("[rwm]{0,3}"), where
                    + "deviceNodes.permissions \"" + node.permissions() + "\" is not made of r, w and m");
        }
        for (Bind mount : edits.mounts()) {
            need(!mount.hostPath().isEmpty(), where + "mounts.hostPath is empty");
            need(mount.containerPath().startsWith("/"),
                    where + "mounts.containerPath \"" + mount.containerPath() + "\" is not absolute");
        }
        for (Hook hook : edits.hooks()) {
            need(HOOKS.contains(hook.hookName()),
                    where + "hooks.hookName \"" + hook.hookName() + "\" is unknown");
            need(hook.path().startsWith("/"), where + "hooks.path \"" + hook.path() + "\" is not absolute");
            need(hook.timeout() == null || hook.timeout() > 0, where + "hooks.timeout is not over 0");
        }
    }

    private static void need(boolean holds, String otherwise) throws IOException {
        if (!holds) {
            throw new IOException(otherwise);
        }
    }
}
