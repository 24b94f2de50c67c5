import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * Puts the installed tree together; the build runs {@code java Distribution.java <project> <class path>}.
 *
 * <pre>
 * dist/bin/berth              launcher
 * dist/lib/berth.jar          names the other jars, in the one order that the AOT cache knows
 * dist/lib/*.jar
 * dist/lib/native/            the native parts of the jars, else each start would unpack them into /tmp
 * dist/lib/runtime/           a Java runtime with the modules that Berth needs
 * dist/lib/berth.aot          AOT cache: classes loaded and linked, methods profiled, before the start
 * dist/libexec/berth-shim     the supervisor
 * </pre>
 */
final class Distribution {
    /**
     * What {@code jdeps --print-module-deps} says of the jars, without java.desktop: picocli and Jackson can do with its
     * beans and do without.
     */
    private static final String MODULES = String.join(",", "java.base", "java.logging", "java.management",
            "java.naming", "java.security.jgss", "java.sql", "jdk.httpserver", "jdk.jfr", "jdk.management", "jdk.net",
            "jdk.unsupported");

    /** The AOT cache knows its jars by size and time: a fixed time survives a copy of the tree that keeps no times. */
    private static final FileTime TIME = FileTime.from(Instant.parse("2026-11-22T00:00:00Z"));

    /** JNA's, SQLite's, zstd's and Netty's. */
    private static final int NATIVE_LIBRARIES = 4;

    private static final String MAIN_CLASS = "io.berth.runtime.cli.Berth";

    private final Path project;
    private final Path dist;

    private Distribution(Path project) {
        this.project = project;
        this.dist = project.resolve("dist");
    }

    public static void main(String[] args) throws Exception {
        var distribution = new Distribution(Path.of(args[0]).toAbsolutePath().normalize());
        List<Path> classPath = Stream.of(args[1].split(File.pathSeparator)).map(Path::of).filter(Files::exists)
                .filter(path -> path.toString().endsWith(".jar")).toList();
        distribution.launcher();
        distribution.jars(classPath);
        distribution.nativeLibraries(classPath);
        distribution.javaRuntime();
        distribution.shim();
        distribution.aotCache();
    }

    private void launcher() throws IOException {
        Path bin = Files.createDirectories(dist.resolve("bin"));
        install(project.resolve("packaging/src/launcher/berth"), bin.resolve("berth"), "rwxr-xr-x");
    }

    private void jars(List<Path> classPath) throws IOException {
        Path lib = Files.createDirectories(dist.resolve("lib"));
        try (Stream<Path> old = Files.list(lib)) {
            for (Path file : old.filter(path -> path.toString().endsWith(".jar")).toList()) {
                Files.delete(file);
            }
        }
        List<String> names = new ArrayList<>();
        for (Path jar : classPath) {
            String name = jar.getFileName().toString();
            if (names.contains(name)) {
                throw new IOException("two jars are called " + name);
            }
            install(jar, lib.resolve(name), "rw-r--r--");
            Files.setLastModifiedTime(lib.resolve(name), TIME);
            names.add(name);
        }
        var manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().put(Attributes.Name.MAIN_CLASS, MAIN_CLASS);
        manifest.getMainAttributes().put(Attributes.Name.CLASS_PATH, String.join(" ", names));
        manifest.getMainAttributes().put(new Attributes.Name("Enable-Native-Access"), "ALL-UNNAMED");
        Path main = lib.resolve("berth.jar");
        try (OutputStream out = Files.newOutputStream(main); var jar = new JarOutputStream(out)) {
            var entry = new ZipEntry("META-INF/MANIFEST.MF");
            entry.setTime(TIME.toMillis());
            jar.putNextEntry(entry);
            manifest.write(jar);
            jar.closeEntry();
        }
        Files.setLastModifiedTime(main, TIME);
    }

    private void nativeLibraries(List<Path> classPath) throws IOException {
        Path directory = dist.resolve("lib/native");
        delete(directory);
        Files.createDirectories(directory);
        Pattern wanted = switch (System.getProperty("os.arch")) {
            case "amd64" -> nativeOf("linux-x86-64|Linux/x86_64|linux/amd64", "_x86_64");
            case "aarch64" -> nativeOf("linux-aarch64|Linux/aarch64|linux/aarch64", "_aarch_64");
            default -> throw new IOException("berth is built on x86-64 or arm64, not " + System.getProperty("os.arch"));
        };
        for (Path jar : classPath) {
            try (var zip = new ZipFile(jar.toFile())) {
                for (ZipEntry entry : zip.stream().filter(e -> wanted.matcher(e.getName()).matches()).toList()) {
                    Path library = directory.resolve(Path.of(entry.getName()).getFileName());
                    try (InputStream in = zip.getInputStream(entry)) {
                        Files.copy(in, library);
                    }
                    Files.setPosixFilePermissions(library, PosixFilePermissions.fromString("rwxr-xr-x"));
                }
            }
        }
        try (Stream<Path> libraries = Files.list(directory)) {
            long count = libraries.count();
            if (count != NATIVE_LIBRARIES) {
                throw new IOException(count + " native libraries in " + directory + ", not " + NATIVE_LIBRARIES
                        + ": a dependency has changed how it carries its own");
            }
        }
    }

    private static Pattern nativeOf(String folders, String nettySuffix) {
        return Pattern.compile("(.*/)?(" + folders + ")/lib(jnidispatch|sqlitejdbc|zstd-jni-.*)\\.so|"
                + "META-INF/native/libnetty_transport_native_epoll" + nettySuffix + "\\.so");
    }

    private void javaRuntime() throws IOException {
        Path runtime = dist.resolve("lib/runtime");
        Path stamp = runtime.resolve("berth-modules");
        String wanted = Runtime.version() + " " + MODULES + "\n";
        if (Files.exists(stamp) && Files.readString(stamp).equals(wanted)) {
            return;
        }
        delete(runtime);
        ToolProvider jlink = ToolProvider.findFirst("jlink")
                .orElseThrow(() -> new IOException("this JDK has no jlink: " + System.getProperty("java.home")));
        int status = jlink.run(System.out, System.err, "--add-modules", MODULES, "--output", runtime.toString(),
                "--no-header-files", "--no-man-pages", "--strip-java-debug-attributes", "--compress", "zip-0");
        if (status != 0) {
            throw new IOException("jlink failed with status " + status);
        }
        Files.writeString(stamp, wanted);
    }

    private void shim() throws IOException {
        Path built = project.resolve("shim/target/berth-shim");
        if (!Files.exists(built)) {
            throw new IOException(built + " is missing: the module shim builds it, with gcc");
        }
        install(built, Files.createDirectories(dist.resolve("libexec")).resolve("berth-shim"), "rwxr-xr-x");
    }

    /**
     * Lets a daemon serve once, on directories of its own, and keeps what the JVM learned. Where this machine does not let
     * a daemon start, the tree works without, only slower.
     */
    private void aotCache() throws IOException, InterruptedException {
        Path cache = dist.resolve("lib/berth.aot");
        Files.deleteIfExists(cache);
        Path work = Files.createTempDirectory("berth-training");
        Path log = work.resolve("log");
        try {
            train(work, log, cache);
        } finally {
            if (!Files.exists(cache)) {
                System.err.println("No AOT cache was made: berth works, but takes longer to start. The training run said:");
                if (Files.exists(log)) {
                    Files.readString(log).lines().limit(20).forEach(line -> System.err.println("  " + line));
                }
            }
            delete(work);
        }
    }

    private void train(Path work, Path log, Path cache) throws IOException, InterruptedException {
        Path config = Files.writeString(work.resolve("config.toml"),
                "[metrics]\nenabled = true\nport = 0\n[cni]\nconf_dir = \"" + work.resolve("cni") + "\"\n");
        Path socket = work.resolve("s");
        var daemon = new ProcessBuilder(dist.resolve("bin/berth").toString(), "daemon", "--config", config.toString(),
                "--root", work.resolve("root").toString(), "--state", work.resolve("state").toString(), "--socket",
                socket.toString()).redirectErrorStream(true).redirectOutput(log.toFile());
        daemon.environment().put("BERTH_JAVA_OPTS", "-XX:AOTCacheOutput=" + cache);
        Process process = daemon.start();
        try {
            for (int tries = 0; tries < 600 && process.isAlive() && !Files.exists(socket); tries++) {
                process.waitFor(100, TimeUnit.MILLISECONDS);
            }
            for (int calls = 0; calls < 3 && Files.exists(socket); calls++) {
                new ProcessBuilder(dist.resolve("bin/berth").toString(), "image", "ls", "--config", config.toString(),
                        "--socket", socket.toString()).redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile())).start().waitFor();
            }
        } finally {
            process.destroy();
            if (!process.waitFor(120, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
            }
        }
    }

    private static void install(Path from, Path to, String mode) throws IOException {
        // Never write into a file that may be running.
        Path beside = to.resolveSibling(to.getFileName() + ".new");
        Files.copy(from, beside, StandardCopyOption.REPLACE_EXISTING);
        Files.setPosixFilePermissions(beside, PosixFilePermissions.fromString(mode));
        Files.move(beside, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    private static void delete(Path tree) throws IOException {
        if (!Files.exists(tree)) {
            return;
        }
        Files.walkFileTree(tree, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, IOException failure) throws IOException {
                Files.delete(directory);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
