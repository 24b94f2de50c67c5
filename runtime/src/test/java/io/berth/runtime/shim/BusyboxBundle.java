package io.berth.runtime.shim;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.UUID;

/** A real OCI bundle with busybox as its root filesystem, and what a shim needs beside it; removes the container when closed. */
final class BusyboxBundle implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final List<String> APPLETS = List.of("sh", "cat", "echo", "sleep", "dd", "stty", "seq",
            "true");

    final String id = "shim-test-" + UUID.randomUUID();
    final Path directory;
    final Path log;
    private final Path bundle;
    private final Path runtimeRoot;
    private boolean terminal;
    private boolean stdin;
    private boolean stdinOnce;

    BusyboxBundle(Path temporary, String... arguments) throws IOException {
        Path base = Files.createDirectory(temporary.resolve(id));
        directory = Files.createDirectory(base.resolve("shim"));
        log = base.resolve("log");
        runtimeRoot = Files.createDirectory(base.resolve("runc"));
        bundle = Files.createDirectory(base.resolve("bundle"));
        Path bin = Files.createDirectories(bundle.resolve("rootfs/bin"));
        Files.copy(Path.of("/bin/busybox"), bin.resolve("busybox"));
        for (String applet : APPLETS) {
            Files.createSymbolicLink(bin.resolve(applet), Path.of("busybox"));
        }
        for (String mountPoint : List.of("proc", "dev", "sys")) {
            Files.createDirectory(bundle.resolve("rootfs").resolve(mountPoint));
        }
        command("runc", "spec", "--bundle", bundle.toString());
        writeConfig(arguments);
    }

    BusyboxBundle terminal() throws IOException {
        terminal = true;
        writeConfig();
        return this;
    }

    BusyboxBundle stdin(boolean once) {
        stdin = true;
        stdinOnce = once;
        return this;
    }

    private void writeConfig(String... arguments) throws IOException {
        Path file = bundle.resolve("config.json");
        ObjectNode config = (ObjectNode) JSON.readTree(file.toFile());
        ObjectNode process = (ObjectNode) config.get("process");
        process.put("terminal", terminal);
        process.remove("rlimits");
        if (arguments.length > 0) {
            ArrayNode args = process.putArray("args");
            List.of(arguments).forEach(args::add);
        }
        ((ObjectNode) config.get("linux")).put("cgroupsPath", "/" + id);
        JSON.writeValue(file.toFile(), config);
    }

    /** The process object of an exec. */
    static byte[] process(boolean terminal, String... arguments) throws IOException {
        ObjectNode process = JSON.createObjectNode().put("terminal", terminal).put("cwd", "/");
        process.putObject("user").put("uid", 0).put("gid", 0);
        process.putArray("env").add("PATH=/bin");
        ArrayNode args = process.putArray("args");
        List.of(arguments).forEach(args::add);
        return JSON.writeValueAsBytes(process);
    }

    ShimSpec spec() {
        return new ShimSpec(directory, id, bundle, List.of("runc", "--root", runtimeRoot.toString()),
                List.of(), log, terminal,
                stdin, stdinOnce, false);
    }

    /** The log's lines without their times. */
    List<String> logged() throws IOException {
        List<String> records = List.of(Files.readString(log).split("\n"));
        return records.stream().map(record -> record.substring(record.indexOf(' ') + 1)).toList();
    }

    @Override
    public void close() throws IOException {
        command("runc", "--root", runtimeRoot.toString(), "delete", "--force", id);
        Path pidFile = directory.resolve("shim.pid");
        if (Files.exists(pidFile)) {
            ProcessHandle.of(Long.parseLong(Files.readString(pidFile).strip()))
                    .ifPresent(ProcessHandle::destroyForcibly);
        }
    }

    private static void command(String... command) throws IOException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.onExit().join().exitValue() != 0) {
            throw new IOException(String.join(" ", command) + ": " + output);
        }
    }
}
