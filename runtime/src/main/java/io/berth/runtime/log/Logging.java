package io.berth.runtime.log;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.spi.ContextAwareBase;
import io.berth.runtime.config.BerthConfig;
import org.slf4j.LoggerFactory;

/**
 * Sends the log to stderr. Logback finds this class as its configurator, so the format is in place before the first
 * line; {@link #apply} sets what the configuration says.
 */
public final class Logging extends ContextAwareBase implements Configurator {
    private static final String APPENDER = "stderr";

    @Override
    public ExecutionStatus configure(LoggerContext context) {
        // What is not the daemon (a command, a test) tells its failures itself.
        install(context, Level.ERROR, false);
        return ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY;
    }

    /** Takes over level and format. Libraries are held to warnings below {@code debug}. */
    public static void apply(BerthConfig.Log config) {
        if (LoggerFactory.getILoggerFactory() instanceof LoggerContext context) {
            install(context, Level.toLevel(config.level()), config.json());
        }
    }

    private static void install(LoggerContext context, Level level, boolean json) {
        var encoder = new LogEncoder(json);
        encoder.setContext(context);
        encoder.start();
        var appender = new ConsoleAppender<ILoggingEvent>();
        appender.setContext(context);
        appender.setName(APPENDER);
        appender.setTarget("System.err");
        appender.setEncoder(encoder);
        appender.start();
        Logger root = context.getLogger(Logger.ROOT_LOGGER_NAME);
        root.detachAppender(APPENDER);
        root.addAppender(appender);
        root.setLevel(level == Level.INFO ? Level.WARN : level);
        context.getLogger("io.berth").setLevel(level);
        // gRPC sets a TCP option on every connection, and Netty complains that a Unix socket has none.
        context.getLogger("io.netty.bootstrap").setLevel(Level.ERROR);
        // At debug, the HTTP client writes out headers, and with them credentials.
        context.getLogger("org.apache.hc")
                .setLevel(level.isGreaterOrEqual(Level.INFO) ? Level.WARN : Level.INFO);
        // At debug, Netty writes out its whole start.
        context.getLogger("io.netty")
                .setLevel(level == Level.TRACE || level == Level.ERROR ? level : Level.WARN);
        // At debug, it writes out frames, and with PullImage's the credentials: no level may show them.
        context.getLogger("io.grpc.netty").setLevel(level == Level.ERROR ? level : Level.WARN);
    }
}
