package io.berth.runtime.check;

import io.berth.linux.Capability;
import io.berth.runtime.config.BerthConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Looks at the whole node. */
public final class NodeCheck {
    private NodeCheck() {}

    /**
     * Everything that was found, area by area. Changes nothing.
     *
     * @param shim where {@code berth-shim} should be; empty where none was installed
     * @param path the {@code PATH} by which the daemon would find programs
     */
    public static List<Finding> run(BerthConfig config, Optional<Path> shim, @Nullable String path)
            throws IOException {
        boolean root = Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0);
        Set<Capability> capabilities = Capability.own(Capability.Kind.EFFECTIVE);
        Node node = Node.thisOne(path);
        return Stream.of(new ProcessChecks(root, capabilities).run(),
                new KernelChecks(node, KernelProbes.real()).run(), new CgroupChecks(node).run(),
                new RuntimeChecks(node, config, shim).run(), new NetworkChecks(node, config.cni()).run(),
                new StorageChecks(node, config).run()).flatMap(List::stream).toList();
    }

    /** Whether Berth can run pods. */
    public static boolean ready(List<Finding> findings) {
        return findings.stream().noneMatch(finding -> finding.verdict() == Finding.Verdict.MISSING);
    }
}
