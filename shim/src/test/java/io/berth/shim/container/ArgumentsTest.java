package io.berth.shim.container;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

final class ArgumentsTest {
    @Test
    void everyOptionIsFound() {
        String line = String.join("\0", "--dir", "/d", "--id", "c1", "--bundle", "/b", "--log", "/l",
                "--stdin", "--stdin-once", "--restore",
                "--terminal", "--cgroup", "/p1", "--cgroup", "/p2", "--create-arg", "--no-pivot", "--",
                "runc", "--root", "/r") + "\0";
        Arguments arguments = arguments(line);
        assertThat(arguments.parse(0)).isNull();
        assertThat(text(arguments, arguments.directory())).isEqualTo("/d");
        assertThat(text(arguments, arguments.id())).isEqualTo("c1");
        assertThat(text(arguments, arguments.bundle())).isEqualTo("/b");
        assertThat(text(arguments, arguments.log())).isEqualTo("/l");
        assertThat(arguments.stdin() && arguments.stdinOnce() && arguments.terminal() && arguments.restore())
                .isTrue();
        assertThat(arguments.cgroupCount()).isEqualTo(2);
        assertThat(text(arguments, arguments.cgroup(1))).isEqualTo("/p2");
        assertThat(text(arguments, arguments.createArgument(0))).isEqualTo("--no-pivot");
        assertThat(arguments.runtimeCount()).isEqualTo(3);
        assertThat(text(arguments, arguments.runtime(2))).isEqualTo("/r");
    }

    @Test
    void whatIsWrongIsSaid() {
        assertThat(parse("--dir", "/d", "--id", "c", "--bundle", "/b")).contains("OCI runtime is missing");
        assertThat(parse("--dir", "/d", "--id", "c", "--bundle", "/b", "--"))
                .contains("OCI runtime is missing");
        assertThat(parse("--dir", "/d", "--", "runc")).contains("required");
        assertThat(parse("--dir", "d", "--id", "c", "--bundle", "/b", "--", "runc")).contains("absolute");
        assertThat(parse("--dir", "/d", "--id", "-c", "--bundle", "/b", "--", "runc")).contains("dash");
        assertThat(parse("--sideways", "/d", "--", "runc")).contains("unknown option");
        assertThat(parse("--dir")).contains("lacks its value");
    }

    @Test
    void aListTooLongIsRefused() {
        assertThat(parse(("--cgroup\0/p\0".repeat(65) + "--\0runc").split("\0", -1))).contains("too often");
        assertThat(parse(("--\0" + "x\0".repeat(64) + "y").split("\0", -1))).contains("too many");
    }

    @Test
    void garbageNeverReachesBeyondTheBytes() {
        Random random = new Random(5);
        String[] words = {"--dir", "--id", "--", "--log", "/x", "", "\0", "--terminal", "--cgroup", "é"};
        for (int i = 0; i < 20_000; i++) {
            StringBuilder line = new StringBuilder();
            for (int j = random.nextInt(12); j > 0; j--) {
                line.append(words[random.nextInt(words.length)]).append(random.nextInt(5) == 0 ? "" : "\0");
            }
            Arguments arguments = arguments(line.toString());
            if (arguments.parse(0) == null) {
                assertThat(text(arguments, arguments.directory())).startsWith("/");
            }
        }
    }

    private static @Nullable String parse(String... words) {
        return arguments(String.join("\0", words) + "\0").parse(0);
    }

    private static Arguments arguments(String line) {
        byte[] bytes = line.getBytes(StandardCharsets.UTF_8);
        return new Arguments(bytes, bytes.length);
    }

    private static String text(Arguments arguments, int offset) {
        return new String(arguments.bytes(), offset, arguments.length(offset), StandardCharsets.UTF_8);
    }
}
