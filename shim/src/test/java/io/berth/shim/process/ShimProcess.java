package io.berth.shim.process;

import io.berth.shim.wire.Wire;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;

/**
 * The real berth-shim over an OCI runtime of a few lines of shell: its containers are plain processes, so that what is tested is the
 * supervisor.
 */
final class ShimProcess implements AutoCloseable {
    private static final String BINARY = System.getProperty("berth.shim");
    private static final String RUNTIME = """
        #!/bin/sh
        # A container is a shell that waits on a FIFO for its start, then runs the program in the bundle.
        while [ "${1#--}" != "$1" ]; do
            [ "$1" = --log ] && log=$2
            shift 2
        done
        verb=$1
        shift
        while [ $# -gt 1 ]; do
            case $1 in
            --bundle) bundle=$2; shift 2 ;;
            --pid-file) pid_file=$2; shift 2 ;;
            --process) process=$2; shift 2 ;;
            *) shift ;;
            esac
        done
        here=$(dirname "$0")
        # The shell gives /dev/null to what it starts in the background.
        exec 3<&0
        case $verb in
        create)
            mkfifo "$here/go"
            sh -c 'read x < "$0/go"; exec sh "$1/program"' "$here" "$bundle" <&3 3<&- &
            echo $! > "$pid_file" ;;
        start)
            echo > "$here/go" ;;
        exec)
            # Its parent, this shell, must not reap it, as a real runtime does not; and the file goes with this shell.
            orphanage='while [ "$(cut -d" " -f4 /proc/$$/stat)" = "$0" ]; do :; done; '
            program=$orphanage$(cat "$process")
            sh -c "$program" $$ <&3 3<&- &
            echo $! > "$pid_file" ;;
        esac
        """;

    final Path directory;
    final Path log;
    private final Path base;

    /** Starts a supervisor whose container will run {@code program}, a shell script. */
    ShimProcess(Path temporary, String program, String... options) throws IOException, InterruptedException {
        this(temporary, null, program, options);
    }

    ShimProcess(Path temporary, @org.jspecify.annotations.Nullable Path logPath, String program,
            String... options)
            throws IOException, InterruptedException {
        base = Files.createTempDirectory(temporary, "c");
        directory = Files.createDirectory(base.resolve("shim"));
        log = logPath == null ? base.resolve("log") : logPath;
        Path runtime = Files.createFile(base.resolve("runtime"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        Files.writeString(runtime, RUNTIME);
        Files.writeString(base.resolve("program"), program);
        List<String> command = new ArrayList<>(
                List.of(BINARY, "container", "--dir", directory.toString(), "--id", "test",
                        "--bundle", base.toString(), "--log", log.toString()));
        command.addAll(List.of(options));
        command.addAll(List.of("--", runtime.toString()));
        Result result = run(command.toArray(String[]::new));
        if (result.code() != 0) {
            throw new IOException(result.output());
        }
    }

    record Result(int code, String output) {}

    static Result berthShim(String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(BINARY));
        command.addAll(List.of(arguments));
        return run(command.toArray(String[]::new));
    }

    private static Result run(String... command) throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        // The sanitizer's leak check needs ptrace, and memory that lives to the end is no leak here.
        builder.environment().put("ASAN_OPTIONS", "detect_leaks=0");
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Result(process.waitFor(), output);
    }

    Client connect() throws IOException {
        Client client = new Client(directory.resolve("shim.sock"));
        client.call(Wire.HELLO, new byte[]{0, Wire.VERSION});
        return client;
    }

    /** Connects when the container is created. */
    Client created() throws IOException {
        Client client = connect();
        Frame reply = client.call(Wire.AWAIT_CREATED);
        if (reply.type() != Wire.OK) {
            throw new IOException(StandardCharsets.UTF_8.decode(reply.body()).toString());
        }
        return client;
    }

    /** A session on a new connection, of a process that runs {@code script}. */
    Client exec(String name, String script, int flags) throws IOException {
        Files.writeString(directory.resolve(name), script);
        Client client = connect();
        byte[] nameBytes = name.getBytes(StandardCharsets.US_ASCII);
        client.send(Wire.EXEC,
                ByteBuffer.allocate(1 + nameBytes.length).put((byte) flags).put(nameBytes).array());
        return client;
    }

    /** Lets the container run to its end; gives its exit code. */
    int runToEnd() throws IOException {
        try (Client control = created(); Client watch = connect()) {
            watch.call(Wire.WATCH);
            control.call(Wire.START);
            return watch.receive().body().getInt(0);
        }
    }

    ProcessHandle handle() throws IOException {
        return ProcessHandle.of(Long.parseLong(Files.readString(directory.resolve("shim.pid")).strip()))
                .orElseThrow();
    }

    List<String> logged() throws IOException {
        List<String> contents = new ArrayList<>();
        for (String line : Files.readAllLines(log)) {
            contents.add(line.substring(line.indexOf(' ') + 1));
        }
        return contents;
    }

    @Override
    public void close() throws IOException {
        for (String name : List.of("container.pid", "shim.pid")) {
            Path file = directory.resolve(name);
            if (Files.exists(file)) {
                ProcessHandle.of(Long.parseLong(Files.readString(file).strip()))
                        .ifPresent(ProcessHandle::destroyForcibly);
            }
        }
    }

    record Frame(int type, ByteBuffer body) {}

    /** Speaks the protocol, and anything else. */
    static final class Client implements AutoCloseable {
        private final SocketChannel channel;

        Client(Path socket) throws IOException {
            channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
        }

        void raw(byte[] bytes) throws IOException {
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
        }

        void send(int type, byte... body) throws IOException {
            raw(ByteBuffer.allocate(Wire.HEADER_BYTES + body.length).putInt(body.length + 1).put((byte) type)
                    .put(body).array());
        }

        Frame receive() throws IOException {
            ByteBuffer header = read(Wire.HEADER_BYTES);
            int length = header.getInt() - 1;
            return new Frame(header.get(), read(length));
        }

        Frame call(int type, byte... body) throws IOException {
            send(type, body);
            return receive();
        }

        private ByteBuffer read(int count) throws IOException {
            ByteBuffer buffer = ByteBuffer.allocate(count);
            while (buffer.hasRemaining()) {
                if (channel.read(buffer) < 0) {
                    throw new java.io.EOFException("the supervisor has hung up");
                }
            }
            return buffer.flip();
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }
}
