package io.berth.runtime.oci;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.ByteString;
import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.KeyValue;
import io.berth.imagestore.ImageConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The command, environment and working directory of the OCI {@code process} object. */
final class ProcessSection {
    private static final String DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private ProcessSection() {}

    static ObjectNode build(SpecInput input) throws OciException {
        ObjectNode process = OciSpec.object();
        process.put("terminal", input.container().getTty());
        process.set("args", OciSpec.strings(commandLine(input.container(), input.image().config())));
        process.set("env", environment(input));
        process.put("cwd", workingDirectory(input));
        return process;
    }

    /** Kubernetes' rules: a command replaces the entrypoint and with it the image's cmd; args alone replace the cmd. */
    private static List<String> commandLine(ContainerConfig container, ImageConfig image)
            throws OciException {
        List<String> line = new ArrayList<>();
        if (container.getCommandCount() > 0) {
            line.addAll(container.getCommandList());
            line.addAll(container.getArgsList());
        } else {
            line.addAll(image.entrypoint());
            line.addAll(container.getArgsCount() > 0 ? container.getArgsList() : image.cmd());
        }
        if (line.isEmpty() || line.getFirst().isEmpty()) {
            throw OciException.invalid("command", "is empty, and the image has neither entrypoint nor cmd");
        }
        for (String word : line) {
            rejectNul("command", word);
        }
        return line;
    }

    private static ArrayNode environment(SpecInput input) throws OciException {
        Map<String, String> env = new LinkedHashMap<>();
        env.put("PATH", DEFAULT_PATH);
        String hostname = hostname(input);
        if (!hostname.isEmpty()) {
            env.put("HOSTNAME", hostname);
        }
        if (input.container().getTty()) {
            env.put("TERM", "xterm");
        }
        for (String entry : input.image().config().env()) {
            int equals = entry.indexOf('=');
            // An entry without a value is legal in an image and means nothing.
            if (equals > 0) {
                env.put(entry.substring(0, equals), entry.substring(equals + 1));
            }
        }
        for (KeyValue entry : input.container().getEnvsList()) {
            env.put(name(entry), value(entry));
        }
        ArrayNode json = OciSpec.array();
        env.forEach((name, value) -> json.add(name + "=" + value));
        return json;
    }

    private static String name(KeyValue entry) throws OciException {
        String name = entry.getKey();
        if (name.isEmpty() || name.indexOf('=') >= 0) {
            throw OciException.invalid("envs", "\"" + name + "\" is not the name of a variable");
        }
        rejectNul("envs", name);
        return name;
    }

    /** The OCI spec is JSON and has no form for other bytes, so they are refused and not changed. */
    private static String value(KeyValue entry) throws OciException {
        ByteString value = entry.getValue();
        if (!value.isValidUtf8()) {
            throw OciException.invalid("envs",
                    "the value of " + entry.getKey() + " is not UTF-8, which an OCI runtime cannot be given");
        }
        String text = value.toStringUtf8();
        rejectNul("envs", text);
        return text;
    }

    private static void rejectNul(String field, String text) throws OciException {
        if (text.indexOf('\0') >= 0) {
            throw OciException.invalid(field, "holds a NUL byte");
        }
    }

    /** The sandbox's; with the host's UTS namespace that is the host's, which the sandbox's file knows. */
    private static String hostname(SpecInput input) throws OciException {
        Path file = input.files().get("hostname");
        if (!input.sandbox().getHostname().isEmpty() || file == null) {
            return input.sandbox().getHostname();
        }
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            throw new OciException(OciException.Kind.FAILED,
                    "read the hostname file of sandbox " + input.sandboxId() + ": " + e.getMessage(), e);
        }
    }

    /** The OCI runtime makes the directory in the rootfs where the image lacks it. */
    private static String workingDirectory(SpecInput input) throws OciException {
        String wanted = input.container().getWorkingDir();
        boolean fromImage = wanted.isEmpty();
        String directory = fromImage ? input.image().config().workingDir() : wanted;
        if (directory.isEmpty()) {
            return "/";
        }
        rejectNul("working_dir", directory);
        if (!directory.startsWith("/")) {
            if (!fromImage) {
                throw OciException.invalid("working_dir", "\"" + directory + "\" is not an absolute path");
            }
            directory = "/" + directory;
        }
        return Path.of(directory).normalize().toString();
    }
}
