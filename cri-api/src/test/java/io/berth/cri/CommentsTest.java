package io.berth.cri;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The protobuf files are the reference that Berth's authors read. */
class CommentsTest {
    private static final Pattern DECLARATION = Pattern
            .compile("\\s*(service|rpc|message|enum)\\s.*|\\s+([\\w.<>, ]+\\s)?\\w+ = \\d+( \\[.*])?;");

    @ParameterizedTest
    @ValueSource(strings = {"runtime/v1/api.proto", "berth/v1/admin.proto"})
    void everyDeclarationIsExplained(String file) throws Exception {
        List<String> lines = Files.readAllLines(Path.of("src/main/proto").resolve(file));
        List<String> bare = new ArrayList<>();
        int declarations = 0;
        for (int i = 1; i < lines.size(); i++) {
            if (DECLARATION.matcher(lines.get(i)).matches()) {
                declarations++;
                if (!lines.get(i - 1).strip().startsWith("// ")) {
                    bare.add(lines.get(i));
                }
            }
        }
        assertThat(bare).isEmpty();
        assertThat(declarations)
                .isGreaterThanOrEqualTo(file.startsWith("runtime") ? WireFacts.ofTable().size() : 10);
    }
}
