package io.berth.runtime.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConfigLoaderTest {
    @TempDir
    Path etc;

    @Test
    void laterFilesOverrideEarlierOnesKeyByKey() throws Exception {
        Path main = write("config.toml", """
            root = "/data/berth"
            [registry]
            parallel_layers = 2
            pinned_images = ["a", "b"]
            """);
        write("conf.d/20-last.toml", "[registry]\nparallel_layers = 4\n");
        write("conf.d/10-first.toml", "[registry]\nparallel_layers = 3\npinned_images = [\"c\"]\n");
        write("conf.d/notes.txt", "this is not TOML");

        BerthConfig config = ConfigLoader.load(Optional.of(main), Map.of(), Map.of());

        assertThat(config.root()).isEqualTo(Path.of("/data/berth"));
        assertThat(config.registry().parallelLayers()).isEqualTo(4);
        assertThat(config.registry().pinned()).containsExactly("c");
    }

    @Test
    void dropInsCountWithoutAMainFile() throws Exception {
        write("conf.d/a.toml", "default_runtime = \"crun\"\n");
        Path main = etc.resolve("config.toml");
        var settings = new Settings();
        new TomlFiles(settings).read(main);
        assertThat(settings.get(ConfigKey.DEFAULT_RUNTIME)).isEqualTo("crun");
    }

    @Test
    void environmentOverridesFilesAndFlagsOverrideBoth() throws Exception {
        Path main = write("config.toml",
                "state = \"/file\"\nroot = \"/file-root\"\n[cni]\ntimeout = \"5s\"\n");
        var environment = Map.of("BERTH_STATE", "/environment", "BERTH_CNI_TIMEOUT", "7s",
                "BERTH_CNI_BIN_DIRS",
                "/a, /b", "BERTH_METRICS_ENABLED", "true", "BERTH_LIMITS_EXEC_SYNC_OUTPUT", "1MiB", "HOME",
                "/root");

        BerthConfig config = ConfigLoader.load(Optional.of(main), environment, Map.of("state", "/flag"));

        assertThat(config.state()).isEqualTo(Path.of("/flag"));
        assertThat(config.root()).isEqualTo(Path.of("/file-root"));
        assertThat(config.cni().timeout()).isEqualTo(Duration.ofSeconds(7));
        assertThat(config.cni().binDirs()).containsExactly(Path.of("/a"), Path.of("/b"));
        assertThat(config.metrics().enabled()).isTrue();
        assertThat(config.limits().maxExecSyncOutputBytes()).isEqualTo(1 << 20);
    }

    @Test
    void theFileMayBeNamedByTheEnvironment() throws Exception {
        Path main = write("config.toml", "root = \"/elsewhere\"\n");
        assertThat(
                ConfigLoader.load(Optional.empty(), Map.of("BERTH_CONFIG", main.toString()), Map.of()).root())
                .isEqualTo(Path.of("/elsewhere"));
    }

    @Test
    void handlersAreAddedToTheBuiltInOnes() throws Exception {
        BerthConfig config = parse("""
            default_runtime = "kata"
            [runtimes.kata]
            path = "/opt/kata/bin/kata-runtime"
            args = ["--debug"]
            [runtimes.youki]
            args = []
            """);
        assertThat(config.runtimes().keySet()).containsExactly("runc", "crun", "kata", "youki");
        assertThat(config.runtimes().get("kata"))
                .isEqualTo(new BerthConfig.OciHandler("/opt/kata/bin/kata-runtime", List.of("--debug")));
        assertThat(config.runtimes().get("youki")).isEqualTo(new BerthConfig.OciHandler("youki", List.of()));
        assertThat(config.defaultRuntime()).isEqualTo("kata");
    }

    @ParameterizedTest(name = "{0} is {1} ms")
    @CsvSource({"250ms,250", "30s,30000", "2m,120000", "1h,3600000"})
    void durationsHaveAUnit(String text, long millis) throws Exception {
        assertThat(parse("timeouts.oci = \"" + text + "\"").timeouts().oci())
                .isEqualTo(Duration.ofMillis(millis));
    }

    @ParameterizedTest(name = "{0} is {1} bytes")
    @CsvSource({"4096,4096", "\"4096\",4096", "\"64KiB\",65536", "\"3MiB\",3145728", "\"1GiB\",1073741824"})
    void sizesMayHaveABinaryUnit(String toml, long bytes) throws Exception {
        assertThat(parse("limits.exec_sync_output = " + toml).limits().maxExecSyncOutputBytes())
                .isEqualTo(bytes);
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', textBlock = """
        rot = "/x"                       | f.toml:1:1: unknown key rot; did you mean root?
        [registry]\\nparallel_layer = 3  | f.toml:2:1: unknown key registry.parallel_layer; did you mean registry.parallel_layers?
        bin_dirs = ["/x"]                | f.toml:1:1: unknown key bin_dirs; did you mean cni.bin_dirs?
        [runtimes.kata]\\npth = "/x"     | f.toml:2:1: unknown key runtimes.kata.pth; did you mean runtimes.kata.path?
        frobnicate = 1                   | f.toml:1:1: unknown key frobnicate; "berth config default" prints every key
        [plugins]\\nx = 1                | f.toml:1:1: unknown table plugins; "berth config default" prints every key
        [root]\\nx = 1                   | f.toml:1:1: root must be an absolute path; it is a table
        cni = "/etc/cni"                 | f.toml:1:1: cni must be a table, as in [cni]
        runtimes = "runc"                | f.toml:1:1: runtimes must be a table, as in [runtimes.runc]
        root = 7                         | f.toml:1:1: root must be an absolute path; it is the number 7
        root = "berth"                   | f.toml:1:1: root must be an absolute path; it is "berth"
        [cni]\\nbin_dirs = "/x"          | f.toml:2:1: cni.bin_dirs must be a list of absolute paths; it is the string "/x"
        [cni]\\nbin_dirs = [1]           | f.toml:2:1: cni.bin_dirs must be a list of absolute paths; it is the number 1
        [cni]\\ntimeout = 30             | f.toml:2:1: cni.timeout must be a duration such as "30s", "500ms" or "2m"; it is the number 30
        [cni]\\ntimeout = "30"           | f.toml:2:1: cni.timeout must be a duration such as "30s", "500ms" or "2m"; it is "30"
        [cni]\\ntimeout = "0s"           | f.toml:2:1: cni.timeout must be a duration such as "30s", "500ms" or "2m"; it is "0s", which leaves no time at all
        [metrics]\\nenabled = "yes"      | f.toml:2:1: metrics.enabled must be true or false; it is the string "yes"
        [metrics]\\nport = 70000         | f.toml:2:1: metrics.port must be a whole number from 0 to 65535; it is 70000
        [metrics]\\nport = 1.5           | f.toml:2:1: metrics.port must be a whole number from 0 to 65535; it is the number 1.5
        [metrics]\\naddress = "localhost" | f.toml:2:1: metrics.address must be an IP address; it is "localhost"
        [registry]\\nparallel_layers = 0 | f.toml:2:1: registry.parallel_layers must be a whole number from 1 to 64; it is 0
        [log]\\nlevel = "loud"           | f.toml:2:1: log.level must be one of "error", "warn", "info", "debug", "trace"; it is "loud"
        cgroup_driver = "cgroup"         | f.toml:1:1: cgroup_driver must be one of "auto", "cgroupfs", "systemd"; it is "cgroup"
        limits.exec_sync_output = "8MB"  | f.toml:1:1: limits.exec_sync_output must be a size such as "16MiB", or a number of bytes; it is "8MB"
        limits.exec_sync_output = -1     | f.toml:1:1: limits.exec_sync_output must be a size such as "16MiB", or a number of bytes; it is the number -1
        root = 1979-05-27                | f.toml:1:1: root must be an absolute path; it is a date or time
        default_runtime = "kata"         | f.toml:1:1: default_runtime is "kata", which is not among the runtimes runc, crun; add [runtimes.kata] or choose one of them
        state = "/var/lib/berth"         | f.toml:1:1: state and root are the same directory; state must be emptied at boot, root must not
        [runtimes."my rt"]\\npath = "x"  | runtimes.my rt: a handler's name is a DNS label (a-z, 0-9, -), as RuntimeClass wants it
        metrics = {enabled = true, address = "10.0.0.1"} | f.toml:1:28: metrics.address is 10.0.0.1, but the endpoint has no authentication and is served on loopback only; use 127.0.0.1 or ::1 and let an agent on the node scrape it
        """)
    void aMistakeIsNamedWithItsPlaceAndTheWayOut(String toml, String problem) {
        assertThat(problems(toml.replace("\\n", "\n"))).containsExactly(problem);
    }

    @Test
    void brokenTomlIsNamedWithItsPlace() {
        assertThat(problems("root = \"/a\"\nstate = \n")).singleElement().asString()
                .startsWith("f.toml:2:9: not TOML: Unexpected end of line");
    }

    @Test
    void aDuplicateKeyIsNotToml() {
        assertThat(problems("root = \"/a\"\nroot = \"/b\"\n")).singleElement().asString()
                .startsWith("f.toml:2:1: not TOML: root previously defined");
    }

    @Test
    void aSocketPathMustFitTheKernelsAddress() {
        String path = "/" + "s".repeat(103);
        assertThat(problems("socket = \"" + path + "\"")).containsExactly(
                "f.toml:1:1: socket is 104 bytes long; it may have at most 103: " + path);
    }

    @Test
    void everyProblemIsReportedAtOnce() {
        assertThat(problems("rot = 1\nstate = 2\n[log]\nlevel = 3\n")).hasSize(3);
    }

    @Test
    void aNamedFileMustExist() {
        Path missing = etc.resolve("nothing.toml");
        assertThatThrownBy(() -> ConfigLoader.load(Optional.of(missing), Map.of(), Map.of()))
                .isInstanceOf(ConfigException.class)
                .hasMessage(missing + ": no such file; \"berth config default\" prints one to start from");
    }

    @Test
    void aFileThatCannotBeReadIsNamed() throws IOException {
        Path directory = Files.createDirectory(etc.resolve("config.toml"));
        assertThatThrownBy(() -> ConfigLoader.load(Optional.of(directory), Map.of(), Map.of()))
                .isInstanceOf(ConfigException.class).hasMessageStartingWith(directory + ": cannot be read: ");
    }

    @Test
    void aBadVariableIsNamed() throws IOException {
        Path main = write("config.toml", "");
        var e = catchThrowableOfType(ConfigException.class, () -> ConfigLoader.load(Optional.of(main),
                Map.of("BERTH_METRICS_PORT", "many"), Map.of("root", "relative")));
        assertThat(e.problems()).containsExactly(
                "environment BERTH_METRICS_PORT: metrics.port must be a whole number from 0 to 65535; it is \"many\"",
                "flag --root: root must be an absolute path; it is \"relative\"");
    }

    @Test
    void anUnknownVariableIsNamed() throws IOException {
        Path main = write("config.toml", "");
        assertThatThrownBy(
                () -> ConfigLoader.load(Optional.of(main), Map.of("BERTH_METRICS_PROT", "1"), Map.of()))
                .hasMessage("environment BERTH_METRICS_PROT: sets no known key;"
                        + " a key's variable is its name in capitals, as BERTH_CNI_CONF_DIR");
    }

    private static BerthConfig parse(String toml) throws ConfigException {
        return ConfigLoader.parse("f.toml", toml);
    }

    private static List<String> problems(String toml) {
        return catchThrowableOfType(ConfigException.class, () -> parse(toml)).problems();
    }

    private Path write(String name, String text) throws IOException {
        Path file = etc.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, text);
    }
}
