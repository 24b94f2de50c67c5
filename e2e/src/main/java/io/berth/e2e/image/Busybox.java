package io.berth.e2e.image;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Images made of this machine's static busybox. */
public final class Busybox {
    private static final Path BINARY = Path.of("/bin/busybox");
    private static final List<String> APPLETS = List.of("sh", "cat", "ls", "echo", "id", "sleep", "true",
            "false",
            "mount", "umount", "grep", "wget", "httpd", "nc", "ip", "stat", "touch", "mkdir", "rm", "env",
            "pwd",
            "hostname", "head", "tail", "yes", "dd", "df", "ps", "kill", "chmod", "chown", "readlink", "wc",
            "sysctl", "test", "printf", "seq", "tr", "cut", "awk", "sort", "mknod", "find", "date",
            "nslookup",
            "ping", "stty", "tty", "su", "nproc", "uname", "unshare", "cp", "md5sum", "usleep", "vi");

    private Busybox() {}

    /** A gzip layer with busybox, its applets, users and groups, and the usual directories. */
    public static Layer layer() {
        return contents().build(Compression.GZIP);
    }

    /** As {@link #layer}, to be added to. */
    public static Layer.Builder contents() {
        Layer.Builder layer = Layer.builder();
        for (String directory : List.of("bin", "dev", "etc", "home", "home/app", "proc", "root", "sys", "usr",
                "var", "www")) {
            layer.directory(directory, 0755);
        }
        layer.directory("tmp", 01777);
        layer.file("bin/busybox", 0755, binary());
        APPLETS.forEach(applet -> layer.hardLink("bin/" + applet, "bin/busybox", 0755));
        layer.file("etc/passwd", 0644,
                "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:app:/home/app:/bin/sh\n");
        layer.file("etc/group", 0644, "root:x:0:\napp:x:1001:\nstaff:x:50:app\naudio:x:63:app\n");
        return layer;
    }

    /** An image of {@link #layer} alone, whose command is a shell. */
    public static TestImage image() {
        return TestImage.builder().layer(layer()).config(config -> config.putArray("Cmd").add("sh")).build();
    }

    /** The program itself. */
    public static byte[] binary() {
        try {
            return Files.readAllBytes(BINARY);
        } catch (IOException e) {
            throw new UncheckedIOException(BINARY + " is needed; install busybox-static", e);
        }
    }
}
