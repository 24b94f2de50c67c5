package io.berth.shim.container;

import io.berth.shim.libc.Command;
import io.berth.shim.libc.Files;
import io.berth.shim.libc.Libc;
import io.berth.shim.libc.Text;

/** The OCI runtime's command lines, and what it says when it fails. */
final class RuntimeCommand {
    private final Arguments arguments;
    private final Command command = new Command();

    RuntimeCommand(Arguments arguments) {
        this.arguments = arguments;
    }

    /** {@code create}, or {@code restore}, after which the container runs. */
    Command create(Text log, Text pidFile, Text console) {
        if (arguments.restore()) {
            begin("restore", log).argument("--detach");
        } else {
            begin("create", log);
        }
        command.argument("--bundle");
        add(command.argument(), arguments.bundle());
        addFile("--pid-file", pidFile);
        if (arguments.terminal()) {
            addConsole(console);
        }
        for (int i = 0; i < arguments.createArgumentCount(); i++) {
            add(command.argument(), arguments.createArgument(i));
        }
        return end();
    }

    Command start(Text log) {
        begin("start", log);
        return end();
    }

    Command exec(Text log, Text process, Text pidFile, boolean terminal, Text console) {
        begin("exec", log).argument("--detach");
        addFile("--process", process);
        addFile("--pid-file", pidFile);
        if (terminal) {
            addConsole(console);
        }
        return end();
    }

    private Command begin(String verb, Text log) {
        command.clear();
        for (int i = 0; i < arguments.runtimeCount(); i++) {
            add(command.argument(), arguments.runtime(i));
        }
        addFile("--log", log);
        return command.argument("--log-format").argument("json").argument(verb);
    }

    private Command end() {
        add(command.argument(), arguments.id());
        return command;
    }

    private void add(Text text, int offset) {
        text.add(arguments.bytes(), offset, arguments.length(offset));
    }

    /** A file in the supervisor's directory. */
    private void addFile(String option, Text name) {
        command.argument(option);
        Text path = command.argument();
        add(path, arguments.directory());
        path.add("/").add(name);
    }

    /** By a path that fits a socket's address, however long the directory's is. */
    private void addConsole(Text name) {
        command.argument("--console-socket");
        command.argument().add("/proc/").addNumber(Libc.getpid()).add("/cwd/").add(name);
    }

    /** Appends what the runtime logged before it ended with {@code status}. */
    void addError(Text text, Text log, int status) {
        Files.readEnd(log, text);
        if (text.length() == 0 && Children.code(status) == Command.CANNOT_EXECUTE) {
            text.add("cannot execute the OCI runtime ");
            add(text, arguments.runtime(0));
        }
    }
}
