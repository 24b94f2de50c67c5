package io.berth.e2e.node;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Berth's command line, for one configuration. */
public record BerthCommand(Path configuration) {
    /** Runs {@code berth recover}. */
    public Command.Result recover() {
        return Command.run(List.of(BerthDaemon.executable().toString(), "recover", "--config",
                configuration.toString()));
    }

    /** Runs {@code berth image ARGUMENTS}. */
    public Command.Result image(String... arguments) {
        var command = new ArrayList<String>();
        command.addAll(List.of(BerthDaemon.executable().toString(), "image", arguments[0], "--config",
                configuration.toString()));
        command.addAll(List.of(arguments).subList(1, arguments.length));
        return Command.run(command);
    }

    /** The same; it must succeed. Returns what it printed. */
    public String imageDone(String... arguments) {
        Command.Result result = image(arguments);
        if (result.exitCode() != 0) {
            throw new AssertionError("berth image " + String.join(" ", arguments) + " exited with "
                    + result.exitCode() + ": " + result.output());
        }
        return result.output();
    }
}
