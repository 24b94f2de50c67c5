package io.berth.runtime.oci;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.cri.v1.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The OCI {@code linux.devices} and their cgroup rules. The OCI runtime adds null, zero, full, random, tty, ptmx itself. */
final class DeviceSection {
    private static final Pattern PERMISSIONS = Pattern.compile("[rwm]{1,3}");
    private static final String ALL = "rwm";

    private DeviceSection() {}

    static void build(SpecInput input, ObjectNode linux, ObjectNode resources) throws OciException {
        Map<Path, DeviceNode> devices = new LinkedHashMap<>();
        ArrayNode rules = resources.putArray("devices");
        rules.addObject().put("allow", input.privileged()).put("access", ALL);
        if (input.privileged()) {
            DeviceNode.allOfHost().forEach(device -> devices.put(device.path(), device));
        }
        for (Device request : input.container().getDevicesList()) {
            for (DeviceNode device : requested(request)) {
                devices.put(device.path(), device);
                if (!input.privileged()) {
                    rules.add(device.rule(permissions(request)));
                }
            }
        }
        if (!devices.isEmpty()) {
            ArrayNode array = linux.putArray("devices");
            devices.values().forEach(device -> array.add(device.json()));
        }
    }

    /** A directory stands for every device in it and below. */
    private static List<DeviceNode> requested(Device request) throws OciException {
        Path host = absolute("devices.host_path", request.getHostPath());
        Path container = request.getContainerPath().isEmpty()
                ? host
                : absolute("devices.container_path", request.getContainerPath());
        permissions(request);
        try {
            if (!Files.exists(host)) {
                throw OciException.invalid("devices.host_path", host + " does not exist on this node");
            }
            Path real = host.toRealPath();
            List<DeviceNode> found = new ArrayList<>();
            if (Files.isDirectory(real)) {
                try (Stream<Path> tree = Files.walk(real)) {
                    for (Path file : tree.sorted().toList()) {
                        DeviceNode.of(file, container.resolve(real.relativize(file))).ifPresent(found::add);
                    }
                }
            } else {
                DeviceNode.of(real, container).ifPresent(found::add);
            }
            if (found.isEmpty()) {
                throw OciException.invalid("devices.host_path",
                        host + " is no device, nor a directory with one");
            }
            return found;
        } catch (OciException e) {
            throw e;
        } catch (IOException e) {
            throw new OciException(OciException.Kind.FAILED, "read device " + host + ": " + e.getMessage(),
                    e);
        }
    }

    private static String permissions(Device request) throws OciException {
        String permissions = request.getPermissions().isEmpty() ? ALL : request.getPermissions();
        if (!PERMISSIONS.matcher(permissions).matches()) {
            throw OciException.invalid("devices.permissions", "\"" + permissions
                    + "\" of " + request.getHostPath() + " is not made of r, w and m");
        }
        return permissions;
    }

    private static Path absolute(String field, String text) throws OciException {
        try {
            Path path = Path.of(text);
            if (path.isAbsolute()) {
                return path.normalize();
            }
        } catch (InvalidPathException e) {
            throw OciException.invalid(field, "holds a NUL byte");
        }
        throw OciException.invalid(field, "\"" + text + "\" is not an absolute path");
    }
}
