package io.berth.runtime.cdi;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.runtime.cdi.CdiSpec.Bind;
import io.berth.runtime.cdi.CdiSpec.Edits;
import io.berth.runtime.cdi.CdiSpec.Hook;
import io.berth.runtime.cdi.CdiSpec.Node;
import io.berth.runtime.oci.DeviceNode;
import io.berth.runtime.oci.OciException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** Makes the edits of CDI specs to an OCI spec (CDI spec, OCI Edits). What an edit sets replaces what there was. */
final class CdiInjection {
    private static final String FIELD = "CDI_devices";

    private final ObjectNode spec;

    CdiInjection(ObjectNode spec) {
        this.spec = spec;
    }

    /**
     * Makes {@code edits}.
     *
     * @param file has them, for errors
     * @throws OciException INVALID for what this node does not have or Berth cannot pass on
     */
    void apply(Path file, Edits edits) throws OciException {
        if (edits.intelRdt() != null) {
            throw refused(file, "intelRdt: Berth assigns no resctrl classes");
        }
        if (!edits.netDevices().isEmpty()) {
            throw refused(file,
                    "netDevices: moving interfaces needs OCI runtime-spec 1.3, which Berth does not write yet");
        }
        for (String variable : edits.env()) {
            env(variable);
        }
        for (Node node : edits.deviceNodes()) {
            device(file, node);
        }
        for (Bind mount : edits.mounts()) {
            mount(file, mount);
        }
        for (Hook hook : edits.hooks()) {
            hook(file, hook);
        }
        for (long gid : edits.additionalGids()) {
            group(gid);
        }
    }

    /** To be called after the last edit: a parent is mounted before what lies in it. */
    void finish() {
        List<JsonNode> mounts = new ArrayList<>();
        ArrayNode array = spec.withArray("mounts");
        array.forEach(mounts::add);
        mounts.sort(
                Comparator.comparingInt(mount -> Path.of(mount.path("destination").asText()).getNameCount()));
        array.removeAll().addAll(mounts);
    }

    private void env(String variable) {
        ArrayNode env = spec.withObject("/process").withArray("env");
        String name = variable.substring(0, variable.indexOf('=') + 1);
        remove(env, entry -> entry.asText().startsWith(name));
        env.add(variable);
    }

    private void device(Path file, Node node) throws OciException {
        ObjectNode linux = spec.withObject("/linux");
        ArrayNode devices = linux.withArray("devices");
        remove(devices, entry -> entry.path("path").asText().equals(node.path()));
        ObjectNode device = describe(file, node);
        JsonNode user = spec.path("process").path("user");
        put(device, "uid", node.uid(), user.path("uid").asLong());
        put(device, "gid", node.gid(), user.path("gid").asLong());
        devices.add(device);
        String type = device.path("type").asText();
        if (type.equals("b") || type.equals("c")) {
            boolean all = node.permissions() == null || node.permissions().isEmpty();
            ObjectNode rule = linux.withObject("/resources").withArray("devices").addObject();
            rule.put("allow", true).put("type", type).put("access", all ? "rwm" : node.permissions());
            rule.set("major", device.path("major"));
            rule.set("minor", device.path("minor"));
        }
    }

    /** What the file leaves out is as of the device on this node. */
    private static ObjectNode describe(Path file, Node node) throws OciException {
        ObjectNode device;
        boolean numbered = node.major() != null && node.minor() != null;
        if (node.type() != null && (numbered || node.type().equals("p"))) {
            device = JsonNodeFactory.instance.objectNode()
                    .put("path", node.path()).put("type", node.type());
        } else {
            device = onNode(file, node).json();
            if (node.type() != null && !node.type().isEmpty()
                    && !node.type().equals(device.path("type").asText().replace("u", "c"))) {
                throw refused(file, "deviceNodes: " + node.onNode() + " is of type "
                        + device.path("type").asText() + " on this node, not " + node.type());
            }
        }
        if (node.major() != null) {
            device.put("major", node.major());
        }
        if (node.minor() != null) {
            device.put("minor", node.minor());
        }
        if (node.fileMode() != null) {
            device.put("fileMode", node.fileMode());
        }
        return device;
    }

    private static DeviceNode onNode(Path file, Node node) throws OciException {
        Path path = Path.of(node.onNode());
        try {
            Optional<DeviceNode> found = Files.exists(path)
                    ? DeviceNode.of(path.toRealPath(), Path.of(node.path()))
                    : Optional.empty();
            return found.orElseThrow(
                    () -> refused(file, "deviceNodes: " + path + " is no device of this node"));
        } catch (OciException e) {
            throw e;
        } catch (IOException e) {
            throw new OciException(OciException.Kind.FAILED, "read device " + path + ": " + e.getMessage(),
                    e);
        }
    }

    private void mount(Path file, Bind mount) throws OciException {
        boolean bind = mount.options().contains("bind") || mount.options().contains("rbind");
        if (bind && !Files.exists(Path.of(mount.hostPath()))) {
            throw refused(file, "mounts: " + mount.hostPath() + " does not exist on this node");
        }
        ArrayNode mounts = spec.withArray("mounts");
        remove(mounts, entry -> entry.path("destination").asText().equals(mount.containerPath()));
        ObjectNode made = mounts.addObject().put("destination", mount.containerPath())
                .put("source", mount.hostPath());
        if (mount.type() != null) {
            made.put("type", mount.type());
        }
        mount.options().forEach(made.putArray("options")::add);
    }

    private void hook(Path file, Hook hook) throws OciException {
        // A startContainer hook runs in the container, where its program is.
        if (!hook.hookName().equals("startContainer") && !Files.isExecutable(Path.of(hook.path()))) {
            throw refused(file, "hooks: " + hook.path() + " is no program on this node");
        }
        ObjectNode made = spec.withObject("/hooks").withArray(hook.hookName()).addObject();
        made.put("path", hook.path());
        if (!hook.args().isEmpty()) {
            hook.args().forEach(made.putArray("args")::add);
        }
        if (!hook.env().isEmpty()) {
            hook.env().forEach(made.putArray("env")::add);
        }
        if (hook.timeout() != null) {
            made.put("timeout", hook.timeout());
        }
    }

    /** The CDI spec has 0 ignored. */
    private void group(long gid) {
        ArrayNode groups = spec.withObject("/process/user").withArray("additionalGids");
        for (JsonNode group : groups) {
            if (group.asLong() == gid) {
                return;
            }
        }
        if (gid != 0) {
            groups.add(gid);
        }
    }

    private static void put(ObjectNode device, String name, @Nullable Long wanted, long ofUser) {
        if (wanted != null) {
            device.put(name, wanted);
        } else if (ofUser > 0) {
            device.put(name, ofUser);
        }
    }

    private static void remove(ArrayNode array, Predicate<JsonNode> which) {
        for (int i = array.size() - 1; i >= 0; i--) {
            if (which.test(array.get(i))) {
                array.remove(i);
            }
        }
    }

    private static OciException refused(Path file, String why) {
        return OciException.invalid(FIELD, "CDI spec " + file + ": " + why);
    }
}
