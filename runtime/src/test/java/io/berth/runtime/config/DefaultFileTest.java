package io.berth.runtime.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.tomlj.Toml;

/** The file that {@code berth config default} prints. */
class DefaultFileTest {
    @Test
    void saysWhatTheCodeDoesWithoutIt() throws Exception {
        assertThat(ConfigLoader.parse("default", ConfigLoader.defaultFile()))
                .isEqualTo(ConfigLoader.defaults(Map.of()));
    }

    @Test
    void hasEveryKeyOnceAndNoOther() {
        List<String> expected = new ArrayList<>();
        for (ConfigKey<?> key : ConfigKey.ALL) {
            if (key.name().contains("*")) {
                ConfigKey.DEFAULT_HANDLERS.forEach(handler -> expected.add(key.name().replace("*", handler)));
            } else {
                expected.add(key.name());
            }
        }
        assertThat(Toml.parse(ConfigLoader.defaultFile()).dottedKeySet())
                .containsExactlyInAnyOrderElementsOf(expected);
    }

    @Test
    void valuesThatOverrideTheFileOneByOneAreTheDefaults() throws Exception {
        // Reading each default back as text proves that the file shows it in a form that the operator can also
        // put into the environment.
        Map<String, String> asText = new TreeMap<>();
        Toml.parse(ConfigLoader.defaultFile()).dottedEntrySet().forEach(entry -> asText.put(entry.getKey(),
                entry.getValue() instanceof org.tomlj.TomlArray array
                        ? String.join(",", array.toList().stream().map(Object::toString).toList())
                        : entry.getValue().toString()));
        assertThat(ConfigLoader.defaults(asText)).isEqualTo(ConfigLoader.defaults(Map.of()));
    }

    @Test
    void explainsEveryKeyInACommentAboveIt() {
        List<String> lines = ConfigLoader.defaultFile().lines().toList();
        List<String> undocumented = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            boolean isKey = lines.get(i).contains("=") && !lines.get(i).startsWith("#");
            if (isKey && (i == 0 || !lines.get(i - 1).startsWith("# "))) {
                undocumented.add(lines.get(i));
            }
        }
        assertThat(undocumented).isEmpty();
    }
}
