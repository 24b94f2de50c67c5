package io.berth.e2e.node;

import io.berth.e2e.cri.Await;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** A daemon that this machine's systemd runs, by the unit of {@code packaging/systemd}. */
public final class BerthUnit implements CriServer {
    public static final String NAME = "berth-e2e.service";

    private static final Path SOURCE = Path.of("packaging/systemd/berth.service");
    private static final Path FILE = Path.of("/run/systemd/system", NAME);
    private static final String SHOWN_LOG_LINES = "40";

    private final BerthDaemon daemon;

    /** @param daemon whose configuration it has; never started itself */
    BerthUnit(BerthDaemon daemon) {
        this.daemon = daemon;
    }

    @Override
    public Path socket() {
        return daemon.socket();
    }

    /** Returns when the daemon has said that it serves. */
    @Override
    public void start() {
        try {
            Files.writeString(FILE, text());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Command.output("systemctl", "daemon-reload");
        systemctl("start");
    }

    /** As an upgrade does it. */
    public void restart() {
        systemctl("restart");
    }

    @Override
    public void stop() {
        systemctl("stop");
        try {
            Files.delete(FILE);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Command.output("systemctl", "daemon-reload");
    }

    @Override
    public void kill() {
        ProcessHandle.of(pid()).ifPresent(ProcessHandle::destroyForcibly);
    }

    @Override
    public long pid() {
        return Long.parseLong(property(NAME, "MainPID"));
    }

    @Override
    public String logTail() {
        return Command
                .run(List.of("journalctl", "--no-pager", "-o", "cat", "-u", NAME, "-n", SHOWN_LOG_LINES))
                .output();
    }

    /** What systemd says of a unit. */
    public static String property(String unit, String name) {
        return Command.output("systemctl", "show", "--value", "-p", name, unit);
    }

    private void systemctl(String verb) {
        Command.Result result = Command.run(List.of("systemctl", verb, NAME));
        if (result.exitCode() != 0) {
            throw new IllegalStateException("systemctl %s %s exited with %d: %s%s".formatted(verb, NAME,
                    result.exitCode(), result.output(), logTail()));
        }
    }

    /** The unit with this daemon's program and configuration, its own directories, and time for a slow machine. */
    private String text() throws IOException {
        String options = Optional.ofNullable(System.getenv("BERTH_JAVA_OPTS"))
                .map("Environment=\"BERTH_JAVA_OPTS=%s\"\n"::formatted).orElse("");
        return Files.readString(SOURCE)
                .replace("ExecStart=/usr/bin/berth daemon", options + "ExecStart=%s daemon --config %s"
                        .formatted(BerthDaemon.executable(), daemon.configuration()))
                .replace("Directory=berth", "Directory=berth-e2e")
                .replace("TimeoutStartSec=60", "TimeoutStartSec=" + 60 * Await.SLOWNESS);
    }
}
