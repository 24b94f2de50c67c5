package io.berth.runtime.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigDirectoryTest {
    private static final String VALID = "{\"cniVersion\": \"1.0.0\", \"name\": \"%s\", \"plugins\": [{\"type\": \"bridge\"}]}";

    @TempDir
    private Path parent;
    private Path folder;
    private ConfigDirectory directory;

    @BeforeEach
    void prepare() {
        folder = parent.resolve("net.d");
        directory = new ConfigDirectory(folder);
    }

    @Test
    void aFolderThatComesLaterIsSeen() throws IOException {
        assertThat(directory.load().problem()).contains("no network configuration")
                .contains(folder.toString());

        Files.createDirectory(folder);
        write("20-b.conflist", VALID.formatted("b"));
        assertThat(directory.load().config()).map(NetworkConfig::name).hasValue("b");

        write("10-a.conflist", VALID.formatted("a"));
        write("05-notes.txt", "not ours");
        assertThat(directory.load().config()).map(NetworkConfig::name).hasValue("a");

        write("10-a.conflist", VALID.formatted("a-changed"));
        assertThat(directory.load().config()).map(NetworkConfig::name).hasValue("a-changed");
        Files.delete(folder.resolve("10-a.conflist"));
        assertThat(directory.load().config()).map(NetworkConfig::name).hasValue("b");
    }

    @Test
    void filesThatAreWrongArePassedOverAndNamed() throws IOException {
        Files.createDirectory(folder);
        write("10-broken.conflist", "{\"cniVersion\": \"1.0.0\",\n \"name\": }");

        assertThat(directory.load().problem()).contains("10-broken.conflist: not JSON").contains("line 2");

        write("20-good.conf", "{\"cniVersion\": \"0.3.1\", \"name\": \"old\", \"type\": \"ptp\"}");
        ConfigDirectory.Loaded loaded = directory.load();
        assertThat(loaded.problem()).contains("10-broken.conflist");
        assertThat(loaded.config()).hasValueSatisfying(config -> {
            assertThat(config.plugins()).singleElement().extracting(plugin -> plugin.path("type").asText())
                    .isEqualTo("ptp");
            assertThat(config.previousResultOnDelete()).isFalse();
        });
    }

    @Test
    void everyFaultOfAConfigurationIsNamed() {
        refused("[]", "not a JSON object");
        refused("{\"cniVersion\": \"1.0.0\", \"plugins\": []}", "\"name\" is missing");
        refused("{\"cniVersion\": \"1.0.0\", \"name\": \"../x\", \"plugins\": [{\"type\": \"a\"}]}",
                "\"name\" is \"../x\"");
        refused("{\"cniVersion\": \"1.0.0\", \"name\": \"x\", \"plugins\": []}", "\"plugins\"");
        refused("{\"cniVersion\": \"1.0.0\", \"name\": \"x\", \"plugins\": [{\"type\": \"../a\"}]}",
                "not the name of a plugin");
        refused("{\"cniVersion\": \"1.0.0\", \"name\": \"x\", \"plugins\": [{}]}", "\"type\" is missing");
        refused("{\"cniVersion\": \"2.0.0\", \"name\": \"x\", \"type\": \"a\"}",
                "\"cniVersion\" is \"2.0.0\"");
        refused("{\"name\": \"x\", \"type\": \"a\"}", "\"cniVersion\" is \"\"");
    }

    @Test
    void ofSeveralVersionsTheNewestThatIsKnownIsSpoken() throws CniException {
        NetworkConfig config = NetworkConfig
                .parse("{\"cniVersions\": [\"0.4.0\", \"1.1.0\", \"9.0.0\"], \"name\": \"x\","
                        + " \"plugins\": [{\"type\": \"a\"}]}");

        assertThat(config.cniVersion()).isEqualTo("1.1.0");
        assertThat(config.hasStatus()).isTrue();
    }

    @Test
    void bandwidthsAreQuantitiesInBits() throws CniException {
        assertThat(BitRate.parse("a", "1k")).isEqualTo(1000);
        assertThat(BitRate.parse("a", "1500")).isEqualTo(1500);
        assertThat(BitRate.parse("a", "2.5Mi")).isEqualTo(2_621_440);
        assertThat(BitRate.parse("a", "1e6")).isEqualTo(1_000_000);
        assertThat(BitRate.parse("a", "1000001m")).isEqualTo(1001);
        assertThat(BitRate.parse("a", "1P")).isEqualTo(1_000_000_000_000_000L);
        for (String bad : new String[]{"", "10Mbit", "-1M", "999", "2P", "1e99", "k"}) {
            assertThatThrownBy(() -> BitRate.parse("kubernetes.io/ingress-bandwidth", bad))
                    .isInstanceOf(CniException.class).hasMessageContaining("kubernetes.io/ingress-bandwidth");
        }
    }

    private void write(String name, String content) throws IOException {
        Files.writeString(folder.resolve(name), content);
    }

    private static void refused(String json, String reason) {
        assertThatThrownBy(() -> NetworkConfig.parse(json)).isInstanceOf(CniException.class)
                .hasMessageContaining(reason);
    }
}
