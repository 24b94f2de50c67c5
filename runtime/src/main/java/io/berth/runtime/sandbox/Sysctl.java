package io.berth.runtime.sandbox;

import io.berth.linux.NamespaceType;
import io.berth.runtime.lifecycle.LifecycleException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * A kernel parameter of a pod, one that belongs to a namespace which the pod has of its own.
 *
 * @param name as the request has it
 * @param path below {@code /proc/sys}
 * @param value as the request has it
 * @param owner the namespace that it belongs to
 */
record Sysctl(String name, Path path, String value, NamespaceType owner) {
    private static final Path ROOT = Path.of("/proc/sys");
    private static final Pattern SEGMENT = Pattern.compile("[A-Za-z0-9_.@:-]+");
    private static final Pattern IPC = Pattern
            .compile("kernel/(shm[a-z_]+|msg[a-z_]+|sem|sem_next_id)|fs/mqueue/[a-z_]+");
    private static final Pattern OF_INTERFACE = Pattern
            .compile("net/(?:ipv4|ipv6|mpls)/(?:conf|neigh)/([^/]+)/.*");
    private static final Set<String> THERE_FROM_THE_START = Set.of("all", "default", "lo");

    /**
     * Checks {@code requested} before anything is made.
     *
     * @throws LifecycleException INVALID naming the parameter that a pod may not set, or not this pod
     */
    static List<Sysctl> parse(Map<String, String> requested, NamespacePlan plan) throws LifecycleException {
        List<Sysctl> sysctls = new ArrayList<>();
        for (Map.Entry<String, String> entry : requested.entrySet()) {
            String name = entry.getKey();
            String key = key(name);
            NamespaceType owner = owner(name, key);
            if (!plan.has(owner)) {
                throw invalid(name, "it belongs to the " + (owner == NamespaceType.IPC ? "ipc" : "network")
                        + " namespace, and this pod uses the node's");
            }
            String value = entry.getValue();
            if (value.indexOf('\n') >= 0 || value.indexOf('\0') >= 0) {
                throw invalid(name, "its value holds a line break or NUL");
            }
            sysctls.add(new Sysctl(name, ROOT.resolve(key), value, owner));
        }
        return sysctls;
    }

    /** Whether it belongs to an interface that CNI has yet to make. */
    boolean ofLaterInterface() {
        var matcher = OF_INTERFACE.matcher(ROOT.relativize(path).toString());
        return matcher.matches() && !THERE_FROM_THE_START.contains(matcher.group(1));
    }

    /** Sets it in the namespaces of the calling thread. */
    void apply() throws IOException {
        // The kernel wants all of the value in one write, and gives a file system's error for a bad one.
        Files.write(path, value.getBytes(StandardCharsets.UTF_8), StandardOpenOption.WRITE);
    }

    /** What the operator is told where {@link #apply} has failed. */
    LifecycleException refused(IOException cause) {
        String reason = cause instanceof NoSuchFileException
                ? "this kernel has no such parameter in the pod's namespace"
                : "the kernel refuses the value \"" + value + "\": " + cause.getMessage();
        return new LifecycleException(LifecycleException.Kind.INVALID,
                "config.linux.sysctls: " + name + ": " + reason, cause);
    }

    /**
     * The path below {@code /proc/sys}. As sysctl(8) has it, the first separator decides: in {@code net/ipv4/conf/eth0.1/mtu} a
     * dot is a dot, in {@code net.ipv4.conf.eth0/1.mtu} a slash is one.
     */
    private static String key(String name) throws LifecycleException {
        int dot = name.indexOf('.');
        int slash = name.indexOf('/');
        boolean dotted = dot >= 0 && (slash < 0 || dot < slash);
        String key = dotted ? name.replace('.', '\0').replace('/', '.').replace('\0', '/') : name;
        for (String segment : key.split("/", -1)) {
            if (!SEGMENT.matcher(segment).matches() || segment.equals(".") || segment.equals("..")) {
                throw invalid(name, "not the name of a kernel parameter");
            }
        }
        return key;
    }

    private static NamespaceType owner(String name, String key) throws LifecycleException {
        if (key.startsWith("net/")) {
            return NamespaceType.NETWORK;
        }
        if (IPC.matcher(key).matches()) {
            return NamespaceType.IPC;
        }
        if (key.equals("kernel/domainname")) {
            return NamespaceType.UTS;
        }
        throw invalid(name, "it is the whole node's, not a pod's: set it on the node "
                + "(a pod may set net.*, kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.*, kernel.domainname)");
    }

    private static LifecycleException invalid(String name, String reason) {
        return new LifecycleException(LifecycleException.Kind.INVALID,
                "config.linux.sysctls: " + name + ": " + reason);
    }
}
