package io.berth.runtime.cni;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.runtime.cni.PluginRunner.Answer;
import io.berth.runtime.config.BerthConfig;
import io.micrometer.core.instrument.MeterRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs the plugins of the node's network configuration, as of the CNI spec 0.3.0 to 1.1.0. Pods are independent of each other, but
 * for their host ports ({@link HostPortTurns}); only GC, where a network has it, waits for all ADDs and lets none begin.
 */
public final class CniPlugins implements Cni {
    private static final Logger log = LoggerFactory.getLogger(CniPlugins.class);
    private static final Pattern ARGUMENT = Pattern.compile("[^;=\\p{Cntrl}]*");
    private static final Duration STATUS_TIMEOUT = Duration.ofSeconds(2);
    private static final long STATUS_KEPT_NANOS = Duration.ofSeconds(10).toNanos();
    /** A plugin that does not know STATUS says that its version or its environment is wrong. */
    private static final List<Integer> STATUS_UNKNOWN = List.of(1, 4);

    private final ConfigDirectory directory;
    private final PluginRunner runner;
    private final Duration timeout;
    private final BerthConfig.Cni config;
    /** ADDs share it; GC, which must see every attachment that there is, has it alone. */
    private final ReentrantReadWriteLock attaching = new ReentrantReadWriteLock();
    private volatile PluginStatus status = new PluginStatus("", 0, Optional.empty());

    private record PluginStatus(String configJson, long atNanos, Optional<String> problem) {}

    public CniPlugins(BerthConfig.Cni config, MeterRegistry meters) {
        this(config, meters, System.getenv());
    }

    CniPlugins(BerthConfig.Cni config, MeterRegistry meters, Map<String, String> environment) {
        this.config = config;
        this.directory = new ConfigDirectory(config.confDir());
        this.runner = new PluginRunner(config.binDirs(), meters, environment);
        this.timeout = config.timeout();
    }

    @Override
    public Optional<String> notReadyReason() {
        ConfigDirectory.Loaded loaded = directory.load();
        if (loaded.config().isEmpty()) {
            return Optional.of(loaded.problem());
        }
        NetworkConfig config = loaded.config().get();
        List<String> missing = new ArrayList<>();
        for (ObjectNode plugin : config.plugins()) {
            String type = plugin.path("type").asText();
            if (runner.find(type).isEmpty()) {
                missing.add(runner.missing(type));
            }
        }
        if (!missing.isEmpty()) {
            return Optional.of("network \"" + config.name() + "\": " + String.join("; ", missing));
        }
        return config.hasStatus() ? status(config) : Optional.empty();
    }

    @Override
    public Optional<String> loadedConfig() {
        return directory.load().config().map(NetworkConfig::json);
    }

    @Override
    public CniResult add(PodNetwork pod, Duration deadline) throws CniException {
        check(pod);
        attaching.readLock().lock();
        try {
            PluginChain chain = new PluginChain(current(), pod, runner);
            try {
                return chain.add(deadline);
            } catch (CniException e) {
                chain.undo(timeout, e);
                throw e;
            }
        } finally {
            attaching.readLock().unlock();
        }
    }

    @Override
    public void podCidr(String podCidr) throws CniException {
        PodCidrs cidrs = PodCidrs.parse(podCidr);
        Optional<Path> template = config.confTemplate();
        if (cidrs.ranges().isEmpty() || template.isEmpty()) {
            log.atInfo().addKeyValue("podCidr", podCidr).log(template.isEmpty()
                    ? "pod CIDR noted; addresses come from the CNI configuration"
                    : "kubelet told no pod CIDR; the CNI configuration stays as it is");
            return;
        }
        Optional<Path> other = directory.load().file()
                .filter(file -> !file.endsWith(NetworkTemplate.FILE));
        if (other.isPresent()) {
            log.atInfo().addKeyValue("podCidr", podCidr).addKeyValue("file", other.get())
                    .log("the node has a network configuration already; the template is not used");
            return;
        }
        try {
            NetworkTemplate.write(config.confDir(),
                    NetworkTemplate.fill(Files.readString(template.get()), cidrs));
        } catch (IOException e) {
            throw new CniException("cannot make the network configuration from cni.conf_template "
                    + template.get() + ": " + e.getMessage(), e);
        }
    }

    @Override
    public void collect(Supplier<Set<String>> attached) {
        Optional<NetworkConfig> network = directory.load().config();
        if (network.isPresent() && network.get().hasGarbageCollection()
                && allKnowGarbageCollection(network.get())) {
            attaching.writeLock().lock();
            try {
                collect(network.get(), attached.get());
            } finally {
                attaching.writeLock().unlock();
            }
        }
    }

    private void collect(NetworkConfig network, Set<String> attached) {
        for (ObjectNode plugin : network.plugins()) {
            String type = plugin.path("type").asText();
            ObjectNode own = plugin.deepCopy().put("name", network.name()).put("cniVersion",
                    network.cniVersion());
            ArrayNode valid = own.putArray("cni.dev/valid-attachments");
            attached.stream().sorted().forEach(id -> valid.addObject().put("containerID", id)
                    .put("ifname", PluginChain.INTERFACE));
            if (runner.run("GC", type, own, Map.of(), timeout) instanceof Answer.Failure failure) {
                log.atWarn().addKeyValue("network", network.name()).addKeyValue("plugin", type)
                        .log("CNI GC failed: " + failure.words());
            }
        }
    }

    /** The version of a configuration says what may be asked, a plugin's own what it can answer. */
    private boolean allKnowGarbageCollection(NetworkConfig network) {
        ObjectNode question = JsonNodeFactory.instance.objectNode().put("cniVersion", network.cniVersion());
        for (ObjectNode plugin : network.plugins()) {
            Answer answer = runner.run("VERSION", plugin.path("type").asText(), question, Map.of(),
                    STATUS_TIMEOUT);
            boolean known = answer instanceof Answer.Success success
                    && success.result().path("supportedVersions").valueStream()
                            .anyMatch(version -> version.asText().equals(network.cniVersion()));
            if (!known) {
                return false;
            }
        }
        return true;
    }

    @Override
    public void del(PodNetwork pod, CniResult result, Duration deadline) throws CniException {
        check(pod);
        NetworkConfig config = result.configJson().isEmpty()
                ? current()
                : NetworkConfig.parse(result.configJson());
        new PluginChain(config, pod, runner).delete(result.resultJson(), deadline);
    }

    @Override
    public void check(PodNetwork pod, CniResult result, Duration deadline) throws CniException {
        check(pod);
        NetworkConfig config = NetworkConfig.parse(result.configJson());
        if (config.hasCheck()) {
            new PluginChain(config, pod, runner).check(result.resultJson(), deadline);
        }
    }

    @Override
    public void close() {
        // Nothing outlives a call.
    }

    private NetworkConfig current() throws CniException {
        ConfigDirectory.Loaded loaded = directory.load();
        return loaded.config().orElseThrow(
                () -> new CniException("the pod network is not ready: " + loaded.problem(), null));
    }

    private Optional<String> status(NetworkConfig config) {
        PluginStatus known = status;
        if (!known.configJson.equals(config.json())
                || System.nanoTime() - known.atNanos > STATUS_KEPT_NANOS) {
            known = new PluginStatus(config.json(), System.nanoTime(), askStatus(config));
            status = known;
        }
        return known.problem;
    }

    private Optional<String> askStatus(NetworkConfig config) {
        for (ObjectNode plugin : config.plugins()) {
            String type = plugin.path("type").asText();
            ObjectNode own = plugin.deepCopy().put("name", config.name()).put("cniVersion",
                    config.cniVersion());
            if (runner.run("STATUS", type, own, Map.of(), STATUS_TIMEOUT) instanceof Answer.Failure failure
                    && !STATUS_UNKNOWN.contains(failure.code())) {
                return Optional.of("network \"" + config.name() + "\": plugin " + type + " cannot serve ADD: "
                        + failure.words());
            }
        }
        return Optional.empty();
    }

    /** {@code CNI_ARGS} has no escapes: a name with a semicolon would become another argument. */
    private static void check(PodNetwork pod) throws CniException {
        for (String value : List.of(pod.sandboxId(), pod.namespace(), pod.name(), pod.uid())) {
            if (!ARGUMENT.matcher(value).matches()) {
                throw new CniException(
                        "a pod's name, namespace and uid may not hold ';', '=' or control characters: \""
                                + value.replaceAll("\\p{Cntrl}", "?") + "\"",
                        null);
            }
        }
    }
}
