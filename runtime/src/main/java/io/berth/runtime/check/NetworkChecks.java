package io.berth.runtime.check;

import io.berth.runtime.config.BerthConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/** The pod network: CNI plugins and configuration, and what the usual plugins use. */
record NetworkChecks(Node node, BerthConfig.Cni config) {
    private static final String AREA = "network";
    private static final List<String> USUAL_PLUGINS = List.of("bridge", "host-local", "loopback", "portmap");
    private static final Set<String> CONFIG_SUFFIXES = Set.of(".conflist", ".conf", ".json");

    List<Finding> run() {
        List<Finding> findings = new ArrayList<>();
        findings.add(plugins());
        findings.add(configuration());
        findings.add(iptables());
        findings.add(forwarding());
        return findings;
    }

    private Finding plugins() {
        List<String> lacking = USUAL_PLUGINS.stream().filter(plugin -> pluginPath(plugin).isEmpty()).toList();
        String directories = String.join(", ", config.binDirs().stream().map(Path::toString).toList());
        String remedy = "apt-get install containernetworking-plugins, or set [cni] bin_dirs";
        if (lacking.size() == USUAL_PLUGINS.size()) {
            return Finding.missing(AREA, "CNI plugins", "none in " + directories, remedy);
        }
        return lacking.isEmpty()
                ? Finding.ok(AREA, "CNI plugins", directories)
                : Finding.warning(AREA, "CNI plugins",
                        "not in " + directories + ": " + String.join(", ", lacking), remedy);
    }

    private Optional<Path> pluginPath(String plugin) {
        return config.binDirs().stream().map(directory -> node.at(directory.toString()).resolve(plugin))
                .filter(Files::isExecutable).findFirst();
    }

    private Finding configuration() {
        Path directory = node.at(config.confDir().toString());
        Optional<Path> first = Optional.empty();
        if (Files.isDirectory(directory)) {
            try (Stream<Path> files = Files.list(directory)) {
                first = files.filter(file -> CONFIG_SUFFIXES.stream().anyMatch(file.toString()::endsWith))
                        .sorted()
                        .findFirst();
            } catch (IOException e) {
                return Finding.missing(AREA, "CNI configuration",
                        directory + " cannot be read: " + e.getMessage(),
                        "run berth check as root");
            }
        }
        return first.isPresent()
                ? Finding.ok(AREA, "CNI configuration", first.get().toString())
                : Finding.missing(AREA, "CNI configuration", "none in " + config.confDir(),
                        "install a network add-on, or copy examples/10-bridge.conflist there;"
                                + " until then only pods of the host's network run");
    }

    private Finding iptables() {
        Optional<Path> program = node.program("iptables");
        Optional<String> version = program.flatMap(path -> node.firstLine(path, "--version"));
        return version.isPresent()
                ? Finding.ok(AREA, "iptables", program.get() + ", " + version.get())
                : Finding.warning(AREA, "iptables", "not found",
                        "apt-get install iptables; the plugins portmap, firewall and bridge's ipMasq use it");
    }

    private Finding forwarding() {
        return node.read("/proc/sys/net/ipv4/ip_forward").equals("1")
                ? Finding.ok(AREA, "IP forwarding", "on")
                : Finding.warning(AREA, "IP forwarding", "off",
                        "sysctl -w net.ipv4.ip_forward=1, and keep it in"
                                + " /etc/sysctl.d/; without it pods reach only their own node");
    }
}
