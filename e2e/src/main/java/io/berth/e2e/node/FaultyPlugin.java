package io.berth.e2e.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/** A chained CNI plugin that does nothing, until it is told to hang or to fail for a pod. */
public final class FaultyPlugin {
    /** Its name in a network's configuration. */
    public static final String TYPE = "faulty";
    /** What it sleeps, to be found among the processes. */
    public static final String SLEEP = "sleep 424242";

    private final Path directory;

    /** What it does in place of its work. */
    public enum Fault {
        HANG, FAIL
    }

    /** Makes the plugin in {@code directory}, to be named in {@code cni.bin_dirs}. */
    public FaultyPlugin(Path directory) {
        this.directory = directory;
        try {
            Files.createDirectories(directory.resolve("faults"));
            // Berth's prevResult is the last key of a plugin's configuration.
            Files.writeString(executable(), """
                #!/bin/sh
                config=$(cat)
                pod=${CNI_ARGS##*K8S_POD_NAME=}
                case $(cat "%1$s/faults/${pod%%%%;*}.$CNI_COMMAND" 2>/dev/null) in
                HANG) %2$s ;;
                FAIL) echo '{"cniVersion": "0.4.0", "code": 100, "msg": "the switch is down"}'; exit 1 ;;
                esac
                [ "$CNI_COMMAND" = VERSION ] && echo '{"cniVersion": "0.4.0", "supportedVersions": ["0.4.0"]}'
                [ "$CNI_COMMAND" != ADD ] || printf '%%s' "$config" | sed 's/.*"prevResult":\\(.*\\)}$/\\1/'
                """.formatted(directory, SLEEP));
            Files.setPosixFilePermissions(executable(), PosixFilePermissions.fromString("rwxr-xr-x"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The plugin's file. */
    public Path executable() {
        return directory.resolve(TYPE);
    }

    /** From now on {@code command} (ADD, DEL) for pods named {@code pod} goes wrong. */
    public void fault(String pod, String command, Fault fault) {
        try {
            Files.writeString(file(pod, command), fault.name());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** From now on it works again. */
    public void mend(String pod, String command) {
        try {
            Files.deleteIfExists(file(pod, command));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Path file(String pod, String command) {
        return directory.resolve("faults").resolve(pod + "." + command);
    }
}
