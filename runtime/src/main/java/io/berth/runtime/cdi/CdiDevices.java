package io.berth.runtime.cdi;

import io.berth.cri.v1.CDIDevice;
import io.berth.cri.v1.ContainerConfig;
import io.berth.runtime.cdi.CdiSpec.Device;
import io.berth.runtime.cdi.CdiSpec.Edits;
import io.berth.runtime.oci.OciException;
import io.berth.runtime.oci.OciSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The CDI devices of this node. The few spec files are looked at on each use, and read again when they have changed; nobody need
 * tell the daemon of a new one.
 */
public final class CdiDevices {
    /** Prefix of container annotations whose values are devices, separated by commas; kubelets before 1.28 send those. */
    private static final String ANNOTATION = "cdi.k8s.io/";
    private static final String FIELD = "CDI_devices";

    private final List<Path> directories;
    private final Map<Path, Parsed> parsed = new ConcurrentHashMap<>();

    /** @param directories of spec files, the later ones over the earlier ones; they need not exist */
    public CdiDevices(List<Path> directories) {
        this.directories = List.copyOf(directories);
    }

    /** A file's state when it was read, and what it said: a spec, or why it is none. */
    private record Parsed(List<Object> state, @Nullable CdiSpec spec, @Nullable String fault) {}

    /** Where a device is described. */
    private record Found(Path file, int priority, CdiSpec spec, Device device) {}

    /** All devices by qualified name; more than one where files of equal rank disagree. */
    private record Catalog(Map<String, List<Found>> devices, Map<Path, String> faults) {}

    /**
     * Changes {@code spec} as the devices want that {@code container} asks for by field or annotation.
     *
     * @throws OciException INVALID naming the device that no file describes, or two; or what its description wants and this
     *         node cannot give
     */
    public void inject(ContainerConfig container, OciSpec spec) throws OciException {
        Set<String> wanted = wanted(container);
        if (wanted.isEmpty()) {
            return;
        }
        Catalog catalog = look();
        CdiInjection injection = new CdiInjection(spec.json());
        Set<Path> edited = new LinkedHashSet<>();
        for (String name : wanted) {
            Found found = only(name, catalog);
            if (edited.add(found.file())) {
                injection.apply(found.file(), found.spec().editsForAll());
            }
            Edits edits = found.device().edits();
            injection.apply(found.file(), edits == null ? Edits.NONE : edits);
        }
        injection.finish();
    }

    private static Set<String> wanted(ContainerConfig container) throws OciException {
        Set<String> wanted = new LinkedHashSet<>();
        for (CDIDevice device : container.getCDIDevicesList()) {
            wanted.add(qualified(FIELD, device.getName()));
        }
        for (Map.Entry<String, String> annotation : new TreeMap<>(container.getAnnotationsMap()).entrySet()) {
            if (annotation.getKey().startsWith(ANNOTATION)) {
                for (String name : annotation.getValue().split(",", -1)) {
                    wanted.add(qualified("annotations." + annotation.getKey(), name));
                }
            }
        }
        return wanted;
    }

    private static String qualified(String field, String name) throws OciException {
        int slash = name.indexOf('/');
        int equals = name.indexOf('=');
        if (slash <= 0 || equals <= slash + 1 || equals == name.length() - 1) {
            throw OciException.invalid(field, "\"" + name + "\" is not of the form vendor/class=device");
        }
        return name;
    }

    private Found only(String name, Catalog catalog) throws OciException {
        List<Found> found = catalog.devices().getOrDefault(name, List.of());
        if (found.size() > 1) {
            throw OciException.invalid(FIELD,
                    "device " + name + " is described twice, by " + found.get(0).file()
                            + " and " + found.get(1).file() + "; take it out of one of them");
        }
        if (found.isEmpty()) {
            StringBuilder message = new StringBuilder("device " + name + " is described by no file of "
                    + directories + "; is the vendor's driver or device plugin there?");
            catalog.faults().forEach((file, fault) -> message.append("; ").append(file)
                    .append(" is left out: ").append(fault));
            throw OciException.invalid(FIELD, message.toString());
        }
        return found.getFirst();
    }

    private Catalog look() {
        Map<String, List<Found>> devices = new HashMap<>();
        Map<Path, String> faults = new LinkedHashMap<>();
        Set<Path> seen = new LinkedHashSet<>();
        for (int priority = 0; priority < directories.size(); priority++) {
            for (Path file : files(directories.get(priority), faults)) {
                seen.add(file);
                Optional<Parsed> now = parse(file);
                if (now.isPresent()) {
                    add(file, priority, now.get(), devices, faults);
                }
            }
        }
        parsed.keySet().retainAll(seen);
        return new Catalog(devices, faults);
    }

    private static void add(Path file, int priority, Parsed now, Map<String, List<Found>> devices,
            Map<Path, String> faults) {
        CdiSpec spec = now.spec();
        if (spec == null) {
            faults.put(file, String.valueOf(now.fault()));
            return;
        }
        for (Device device : spec.devices()) {
            List<Found> same = devices.computeIfAbsent(spec.kind() + "=" + device.name(),
                    name -> new ArrayList<>());
            same.removeIf(other -> other.priority() < priority);
            same.add(new Found(file, priority, spec, device));
        }
    }

    private static List<Path> files(Path directory, Map<Path, String> faults) {
        try (Stream<Path> entries = Files.list(directory)) {
            return entries
                    .filter(file -> file.toString().endsWith(".json") || file.toString().endsWith(".yaml"))
                    .filter(Files::isRegularFile).sorted().toList();
        } catch (NoSuchFileException | NotDirectoryException e) {
            return List.of();
        } catch (IOException e) {
            faults.put(directory, "cannot be listed: " + e.getMessage());
            return List.of();
        }
    }

    /** Empty where the file has gone meanwhile. */
    private Optional<Parsed> parse(Path file) {
        try {
            Map<String, Object> attributes = Files.readAttributes(file,
                    "unix:ino,size,lastModifiedTime,ctime");
            List<Object> state = List.copyOf(new TreeMap<>(attributes).values());
            Parsed before = parsed.get(file);
            if (before != null && before.state().equals(state)) {
                return Optional.of(before);
            }
            Parsed now = read(file, state);
            parsed.put(file, now);
            return Optional.of(now);
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (IOException e) {
            return Optional.of(new Parsed(List.of(), null, String.valueOf(e.getMessage())));
        }
    }

    private static Parsed read(Path file, List<Object> state) throws NoSuchFileException {
        try {
            return new Parsed(state, CdiSpecFile.read(file), null);
        } catch (NoSuchFileException e) {
            throw e;
        } catch (IOException e) {
            return new Parsed(state, null, e.getMessage());
        }
    }
}
