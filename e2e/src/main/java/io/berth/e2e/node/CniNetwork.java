package io.berth.e2e.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The pod network: bridge with host-local addresses and hostPort, of the reference plugins. */
public final class CniNetwork {
    /** Must fit an interface's name. */
    static final String BRIDGE = "e2ebr0";

    private final Path directory;

    /** Writes the network's configuration below {@code directory}. */
    public CniNetwork(Path directory) {
        this.directory = directory;
        try {
            Files.createDirectories(configurations());
            chain("");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Writes the network's configuration anew, with one more plugin after the usual ones; none for an empty type. */
    public void chain(String type) {
        String last = type.isEmpty() ? "" : ", {\"type\": \"" + type + "\"}";
        try {
            Files.writeString(configurations().resolve("10-e2e.conflist"), """
                {"cniVersion": "0.4.0", "name": "e2e", "plugins": [
                  {"type": "bridge", "bridge": "%s", "isGateway": true, "ipMasq": true, "hairpinMode": true,
                   "ipam": {"type": "host-local", "dataDir": "%s",
                            "ranges": [[{"subnet": "10.88.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
                  {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true}%s
                ]}
                """.formatted(BRIDGE, directory.resolve("leases"), last));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The directory with the configuration, for {@code cni.conf_dir}. */
    public Path configurations() {
        return directory.resolve("net.d");
    }

    /** The file that host-local keeps as long as {@code address} is in use. */
    public Path leaseOf(String address) {
        return leases().resolve(address);
    }

    /** Where host-local keeps a file per address in use. */
    Path leases() {
        return directory.resolve("leases/e2e");
    }
}
