package io.berth.imagestore.registry;

import static io.berth.imagestore.registry.TestOptions.fails;
import static org.assertj.core.api.Assertions.assertThat;

import io.berth.imagestore.ImageException.Kind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RegistriesConfTest {
    private static final String DIGEST = "@sha256:" + "ab".repeat(32);
    @TempDir
    private Path directory;

    @Test
    void aRegistryWithoutATableIsItsOwnEndpoint() throws Exception {
        assertThat(endpoints("", "busybox"))
                .containsExactly(new Endpoint("docker.io", "library/busybox", false));
        assertThat(RegistriesConf.read(directory.resolve("absent.conf"))
                .endpoints(ImageReference.parse("quay.io/a/b")))
                .containsExactly(new Endpoint("quay.io", "a/b", false));
        assertThat(new Endpoint("docker.io", "library/busybox", false).apiHost())
                .isEqualTo("registry-1.docker.io");
    }

    @Test
    void mirrorsComeFirstInTheirOrderWithTheirOwnPathsAndSecurity() throws Exception {
        assertThat(endpoints("""
            unqualified-search-registries = ["example.com"]
            short-name-mode = "permissive"
            some-key-of-tomorrow = 1
            [[registry]]
            prefix = "docker.io"
            location = "docker.io"
            [[registry.mirror]]
            location = "cache.local:5000/hub/"
            insecure = true
            [[registry.mirror]]
            location = "mirror.example"
            [aliases]
            "busybox" = "quay.io/other/busybox"
            """, "busybox")).containsExactly(
                new Endpoint("cache.local:5000", "hub/library/busybox", true),
                new Endpoint("mirror.example", "library/busybox", false),
                new Endpoint("docker.io", "library/busybox", false));
    }

    @Test
    void theLongestPrefixWinsAndIsReplacedByItsLocation() throws Exception {
        String conf = """
            [[registry]]
            location = "quay.io"
            [[registry]]
            prefix = "quay.io/team"
            location = "internal.example/x/y"
            [[registry]]
            prefix = "*.corp.example"
            location = "proxy.example/corp"
            """;
        assertThat(endpoints(conf, "quay.io/team/app:1"))
                .containsExactly(new Endpoint("internal.example", "x/y/app", false));
        assertThat(endpoints(conf, "quay.io/teams/app:1"))
                .containsExactly(new Endpoint("quay.io", "teams/app", false));
        assertThat(endpoints(conf, "a.b.corp.example/app"))
                .containsExactly(new Endpoint("proxy.example", "corp/app", false));
        assertThat(endpoints(conf, "corp.example/app"))
                .containsExactly(new Endpoint("corp.example", "app", false));
    }

    @Test
    void mirrorsMayServeDigestsOrTagsAlone() throws Exception {
        String conf = """
            [[registry]]
            location = "quay.io"
            [[registry.mirror]]
            location = "digests.example"
            pull-from-mirror = "digest-only"
            [[registry.mirror]]
            location = "tags.example"
            pull-from-mirror = "tag-only"
            """;
        assertThat(endpoints(conf, "quay.io/app:1")).extracting(Endpoint::host).containsExactly(
                "tags.example",
                "quay.io");
        assertThat(endpoints(conf, "quay.io/app:1" + DIGEST)).extracting(Endpoint::host)
                .containsExactly("digests.example", "quay.io");
        String all = """
            [[registry]]
            location = "quay.io"
            mirror-by-digest-only = true
            [[registry.mirror]]
            location = "digests.example"
            """;
        assertThat(endpoints(all, "quay.io/app:1")).extracting(Endpoint::host).containsExactly("quay.io");
        assertThat(endpoints(all, "quay.io/app" + DIGEST)).extracting(Endpoint::host)
                .containsExactly("digests.example", "quay.io");
    }

    @Test
    void aBlockedRegistryIsForbiddenAndTheFileIsNamed() {
        fails(() -> endpoints("""

            [[registry]]
            location = "bad.example"
            blocked = true
            """, "bad.example/app"), Kind.FORBIDDEN, "registry \"bad.example\" is blocked by ",
                "registries.conf:2", "bad.example/app:latest cannot be pulled");
    }

    @Test
    void dropInsAddTablesAndReplaceThoseOfTheSamePrefix() throws Exception {
        Path dropIns = Files.createDirectory(directory.resolve("registries.conf.d"));
        Files.writeString(dropIns.resolve("10.conf"),
                "[[registry]]\nlocation = \"quay.io\"\ninsecure = true\n");
        Files.writeString(dropIns.resolve("20.txt"), "not toml");
        assertThat(endpoints("[[registry]]\nlocation = \"quay.io\"\nblocked = true\n", "quay.io/app"))
                .containsExactly(new Endpoint("quay.io", "app", true));
    }

    @Test
    void aWildcardFitsEverySubdomainWithItsPortAndKeepsTheRest() throws Exception {
        String conf = """
            [[registry]]
            prefix = "*.example.com"
            [[registry.mirror]]
            location = "mirror.test"
            [[registry]]
            prefix = "*.blocked.example.com"
            blocked = true
            """;
        assertThat(endpoints(conf, "a.example.com:5000/x/y:1")).containsExactly(
                new Endpoint("mirror.test:5000", "x/y", false),
                new Endpoint("a.example.com:5000", "x/y", false));
        assertThat(endpoints(conf, "example.com/x")).containsExactly(new Endpoint("example.com", "x", false));
        assertThat(endpoints(conf, "other.test/a.example.com/x")).hasSize(1);
        fails(() -> endpoints(conf, "a.blocked.example.com/x"), Kind.FORBIDDEN,
                "\"*.blocked.example.com\" is blocked by ");
    }

    @Test
    void aRewriteThatLeavesNoRepositoryIsRefusedByName() {
        fails(() -> endpoints("[[registry]]\nprefix = \"a.test/app\"\nlocation = \"b.test\"\n",
                "a.test/app:1"),
                Kind.INVALID, "location \"b.test\" of ",
                "registries.conf:1 leaves no repository for a.test/app");
    }

    @Test
    void aShortNameFollowsItsAliasAndNothingIsSearched() throws Exception {
        Path file = Files.writeString(directory.resolve("registries.conf"), """
            unqualified-search-registries = ["first.test", "docker.io"]
            short-name-mode = "enforcing"
            [aliases]
            "fedora" = "registry.test/fedora"
            "team/app" = "registry.test/x/app"
            "gone" = "registry.test/gone"
            """);
        Path dropIns = Files.createDirectories(directory.resolve("registries.conf.d"));
        Files.writeString(dropIns.resolve("9.conf"), "[aliases]\ngone = \"\"\n");
        RegistriesConf conf = RegistriesConf.read(file);
        String digest = "sha256:" + "a".repeat(64);
        assertThat(conf.name("fedora").canonical()).isEqualTo("registry.test/fedora:latest");
        assertThat(conf.name("fedora:43").canonical()).isEqualTo("registry.test/fedora:43");
        assertThat(conf.name("team/app@" + digest).canonical()).isEqualTo("registry.test/x/app@" + digest);
        assertThat(conf.name("docker.io/library/fedora").canonical())
                .isEqualTo("docker.io/library/fedora:latest");
        assertThat(conf.name("gone").canonical()).isEqualTo("docker.io/library/gone:latest");
        assertThat(conf.name("nginx").canonical()).isEqualTo("docker.io/library/nginx:latest");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\'', value = {
            "'[[registry]]\nlocation = \"a\"\nx = ='                | registries.conf:3: ",
            "'[[registry]]\ninsecure = true'                        | registries.conf:1: [[registry]] needs a location or a prefix",
            "'[[registry]]\nprefix = \"a\"'                         | [[registry]] with prefix \"a\" needs a location",
            "'[[registry]]\nlocation = \"https://a\"'               | must have no scheme",
            "'[[registry]]\nlocation = \"a\"\ninsecure = \"yes\"'   | registries.conf:3: insecure must be true or false",
            "'[[registry]]\nlocation = 5'                           | registries.conf:2: location must be a string",
            "'[[registry]]\nlocation = \"a\"\n[[registry.mirror]]'  | [[registry.mirror]] needs a location",
            "'[[registry]]\nlocation = \"a\"\n[[registry.mirror]]\nlocation = \"b\"\npull-from-mirror = \"x\"' | registries.conf:5: pull-from-mirror is \"x\", expected all, digest-only or tag-only",
            "'[[registry]]\nlocation = \"a\"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = \"b\"\npull-from-mirror = \"all\"' | exclude each other",
            "'[registries.search]\nregistries = []'                 | this is version 1 of the format",
            "'[aliases]\na = \"b\"'                               | registries.conf:2: a must be an alias of a name with its registry",
            "'[aliases]\na = \"b.test/c:1\"'                      | registries.conf:2: a must be an alias",
            "'[aliases]\na = \"B C\"'                             | registries.conf:2: a is an alias of what is no image name",
            "'short-name-mode = \"x\"'                            | registries.conf:1: short-name-mode must be",
            "'unqualified-search-registries = \"https://a\"'     | registries.conf:1: unqualified-search-registries",
            "'[[registry]]\nprefix = \"a.*\"\nlocation = \"b\"'    | registries.conf:2: prefix is no host",
            "'[[registry]]\nlocation = \"a b\"'                   | registries.conf:2: location is no host",
            "'registry = 5'                                         | registries.conf"})
    void aMalformedFileIsRefusedByNameAndLine(String conf, String text) {
        fails(() -> endpoints(conf, "a/b"), Kind.INVALID, text);
    }

    private List<Endpoint> endpoints(String conf, String reference) throws IOException {
        Path file = Files.writeString(directory.resolve("registries.conf"), conf);
        return RegistriesConf.read(file).endpoints(ImageReference.parse(reference));
    }
}
