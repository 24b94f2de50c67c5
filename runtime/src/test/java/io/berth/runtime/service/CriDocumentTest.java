package io.berth.runtime.service;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.MethodDescriptor;
import com.google.protobuf.Descriptors.ServiceDescriptor;
import io.berth.cri.v1.CriApi;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Holds docs/cri.md to the API as it is compiled in, and to the tests that exist. */
class CriDocumentTest {
    private static final Path DOCUMENT = Path.of("../docs/cri.md");
    private static final Pattern HEADING = Pattern.compile("#{2,3} `?(\\w+)`?.*");
    private static final Pattern ROW = Pattern.compile("\\| (?:`(\\w+)`|([^`|]+?)) \\| (.*?) \\| (.*?) \\|");
    private static final Pattern TEST = Pattern.compile("`(\\w+)\\.(\\w+)`");
    private static final int SHORTEST_EXPLANATION = 4;

    private record Row(String section, String name, String what, String tests) {}

    private static List<Row> rows = List.of();
    private static Map<String, String> testSources = Map.of();

    @BeforeAll
    static void read() throws IOException {
        rows = rows(Files.readAllLines(DOCUMENT));
        testSources = testSources();
    }

    @Test
    void everyFieldOfEveryMessageHasARowAndNothingElseHas() {
        Set<String> documented = rows.stream().filter(row -> message(row.section()))
                .map(row -> row.section() + "." + row.name()).collect(Collectors.toCollection(TreeSet::new));
        Set<String> compiled = new TreeSet<>();
        for (Descriptor message : messages()) {
            for (FieldDescriptor field : message.getFields()) {
                compiled.add(message.getName() + "." + field.getName());
            }
        }

        assertThat(documented).isEqualTo(compiled);
        assertThat(compiled).hasSizeGreaterThan(400);
    }

    @Test
    void everyCallHasARowAndNothingElseHas() {
        for (ServiceDescriptor service : CriApi.getDescriptor().getServices()) {
            assertThat(rows).filteredOn(row -> row.section().equals(service.getName())).extracting(Row::name)
                    .containsExactlyInAnyOrderElementsOf(
                            service.getMethods().stream().map(MethodDescriptor::getName).toList());
        }
    }

    @Test
    void noRowIsTwiceAndEachSaysWhatIsDone() {
        assertThat(rows).extracting(row -> row.section() + "." + row.name()).doesNotHaveDuplicates();
        assertThat(rows).allSatisfy(row -> assertThat(row.what().strip()).as(row.toString())
                .hasSizeGreaterThanOrEqualTo(SHORTEST_EXPLANATION));
    }

    @Test
    void everyRowNamesATestThatExists() {
        List<String> wrong = new ArrayList<>();
        for (Row row : rows) {
            Matcher named = TEST.matcher(row.tests());
            boolean any = false;
            while (named.find()) {
                any = true;
                if (!hasTest(named.group(1), named.group(2))) {
                    wrong.add(row.section() + "." + row.name() + ": there is no test " + named.group());
                }
            }
            if (!any) {
                wrong.add(row.section() + "." + row.name() + ": names no test");
            }
        }
        assertThat(wrong).isEmpty();
    }

    @Test
    void aTestThatIsNotThereIsFound() {
        assertThat(hasTest("CriDocumentTest", "aTestThatIsNotThereIsFound")).isTrue();
        assertThat(hasTest("CriDocumentTest", "hasTest")).isFalse();
        assertThat(hasTest("NoSuchTest", "read")).isFalse();
    }

    private static boolean hasTest(String type, String method) {
        String source = testSources.get(type);
        return source != null && Pattern.compile(
                "@(?:Test|ParameterizedTest|TestFactory)\\b(?:(?!\\bvoid \\w|\\bStream<DynamicTest> \\w)[\\s\\S]){0,1500}?"
                        + "\\b(?:void|Stream<DynamicTest>) " + Pattern.quote(method) + "\\(")
                .matcher(source).find();
    }

    private static List<Row> rows(List<String> lines) {
        List<Row> rows = new ArrayList<>();
        String section = "";
        for (String line : lines) {
            Matcher heading = HEADING.matcher(line);
            Matcher row = ROW.matcher(line);
            if (heading.matches()) {
                section = heading.group(1);
            } else if (row.matches() && !line.contains("| ---") && !row.group(4).equals("test")) {
                String name = row.group(1) == null ? row.group(2) : row.group(1);
                rows.add(new Row(section, name, row.group(3), row.group(4)));
            } else if (line.startsWith("|")) {
                assertThat(line).as("a row of %s that cannot be read", section)
                        .matches("\\| (---|.*\\| test \\|).*");
            }
        }
        return rows;
    }

    private static boolean message(String name) {
        return messages().stream().anyMatch(message -> message.getName().equals(name));
    }

    private static List<Descriptor> messages() {
        return CriApi.getDescriptor().getMessageTypes();
    }

    private static Map<String, String> testSources() throws IOException {
        Map<String, String> sources = new HashMap<>();
        try (Stream<Path> modules = Files.list(Path.of(".."))) {
            for (Path tests : modules.map(module -> module.resolve("src/test/java"))
                    .filter(Files::isDirectory)
                    .toList()) {
                try (Stream<Path> files = Files.walk(tests)) {
                    files.filter(file -> file.toString().endsWith(".java")).forEach(file -> sources.put(
                            String.valueOf(file.getFileName()).replace(".java", ""), read(file)));
                }
            }
        }
        return sources;
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
