package io.berth.runtime.cli;

import io.berth.runtime.config.BerthConfig;
import io.berth.runtime.config.ConfigException;
import io.berth.runtime.daemon.Daemon;
import io.berth.runtime.daemon.Installation;
import io.berth.runtime.log.Logging;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code berth daemon}. */
@Command(name = "daemon", description = "Serve the CRI until SIGTERM or SIGINT. Containers run on when the daemon stops, and the next one finds them. The log goes to stderr.", mixinStandardHelpOptions = true, exitCodeListHeading = "%nExit status:%n", exitCodeList = {
        "0:stopped by a signal", "1:it could not start",
        "2:wrong usage or configuration"}, footerHeading = "%nExamples:%n", footer = {
                "  berth daemon",
                "  berth daemon --root /tmp/b/root --state /tmp/b/state --socket /tmp/b/sock --log-level debug"})
final class DaemonCommand implements Callable<Integer> {
    private static final Logger log = LoggerFactory.getLogger(DaemonCommand.class);

    private final Map<String, String> environment;
    private final Installation installation;

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private ConfigOptions options;

    @Option(names = "--log-level", paramLabel = "LEVEL", description = "error, warn, info, debug or trace (default: info).")
    private @Nullable String logLevel;

    DaemonCommand(Map<String, String> environment, Installation installation) {
        this.environment = environment;
        this.installation = installation;
    }

    @Override
    public Integer call() throws ConfigException, IOException, InterruptedException {
        BerthConfig config = options.load(logLevel == null ? Map.of() : Map.of("log.level", logLevel));
        Logging.apply(config.log());
        // A bug in one thread must not take the node's pods from kubelet: say it and go on. At the end of
        // memory the JVM ends itself (the launcher's options), and the supervisor starts it anew.
        Thread.setDefaultUncaughtExceptionHandler((thread, failure) -> log.atError()
                .addKeyValue("thread", thread.getName()).setCause(failure).log("uncaught exception"));
        Daemon daemon = Daemon.start(config, installation, environment);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            daemon.stop();
            // Java's own status would be 128 + the signal's number.
            Runtime.getRuntime().halt(0);
        }, "stop"));
        new CountDownLatch(1).await();
        return 0;
    }
}
