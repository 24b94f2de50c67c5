package io.berth.imagestore.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageException.Kind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ImageReferenceTest {
    private static final String SHA256 = "sha256:" + "a1".repeat(32);
    private static final String SHA512 = "sha512:" + "b2".repeat(64);

    @ParameterizedTest
    @CsvSource({ // text, canonical, familiar
            "busybox, docker.io/library/busybox:latest, busybox:latest",
            "busybox:1.37, docker.io/library/busybox:1.37, busybox:1.37",
            "library/busybox, docker.io/library/busybox:latest, busybox:latest",
            "team/app:v1, docker.io/team/app:v1, team/app:v1",
            "docker.io/busybox, docker.io/library/busybox:latest, busybox:latest",
            "index.docker.io/team/app, docker.io/team/app:latest, team/app:latest",
            "docker.io/library/a/b, docker.io/library/a/b:latest, library/a/b:latest",
            "localhost/app, localhost/app:latest, localhost/app:latest",
            "localhost:5000/app:1, localhost:5000/app:1, localhost:5000/app:1",
            "127.0.0.1:5000/a/b/c, 127.0.0.1:5000/a/b/c:latest, 127.0.0.1:5000/a/b/c:latest",
            "[::1]:5000/app, [::1]:5000/app:latest, [::1]:5000/app:latest",
            "registry.k8s.io/pause:3.10, registry.k8s.io/pause:3.10, registry.k8s.io/pause:3.10",
            "MyHost/app, MyHost/app:latest, MyHost/app:latest",
            "ghcr.io/a-b/c__d/e.f--g:T_a.g-1, ghcr.io/a-b/c__d/e.f--g:T_a.g-1, ghcr.io/a-b/c__d/e.f--g:T_a.g-1",
            "busybox:80, docker.io/library/busybox:80, busybox:80"})
    void normalisesNamesAsTheFieldDoes(String text, String canonical, String familiar) throws Exception {
        ImageReference reference = ImageReference.parse(text);
        assertThat(reference.canonical()).isEqualTo(canonical);
        assertThat(reference.familiar()).isEqualTo(familiar);
        assertThat(ImageReference.parse(canonical)).isEqualTo(reference);
        assertThat(ImageReference.parse(familiar)).isEqualTo(reference);
    }

    @Test
    void digestAloneGetsNoTag() throws Exception {
        ImageReference reference = ImageReference.parse("busybox@" + SHA256);
        assertThat(reference.tag()).isNull();
        assertThat(reference.canonical()).isEqualTo("docker.io/library/busybox@" + SHA256);
        assertThat(reference.manifestKey()).isEqualTo(SHA256);
    }

    @Test
    void tagAndDigestAreBothKeptAndTheDigestDecides() throws Exception {
        ImageReference reference = ImageReference.parse("quay.io/team/app:v1@" + SHA512);
        assertThat(reference.canonical()).isEqualTo("quay.io/team/app:v1@" + SHA512);
        assertThat(reference.manifestKey()).isEqualTo(SHA512);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\'', value = {
            "''                                    | it is empty",
            "https://example.com/app               | leave out the scheme",
            "'my app'                              | space, control or non-ASCII",
            "team/App                              | \"team/App\" must be lower case",
            "quay.io/                              | it names no repository",
            "quay.io/a//b                          | has an empty path component",
            "a/b/                                  | has an empty path component",
            "/app                                  | has an empty path component",
            "app:                                  | tag \"\" must be 1 to 128",
            "app:-x                                | tag \"-x\" must be 1 to 128",
            "app:a+b                               | tag \"a+b\" must be 1 to 128",
            "-app                                  | \"-app\" must be lower case letters and digits",
            "a..b                                  | \"a..b\" must be lower case letters and digits",
            "a___b                                 | \"a___b\" must be lower case letters and digits",
            "../../etc                             | \"..\" is not a host name",
            "host:99999/app                        | port 99999 is above 65535",
            "host:x/app                            | \"host:x\" is not a host name",
            "app@sha256:12                         | sha256 has 64 hex digits, this has 2",
            "app@md5:d41d8cd98f00b204e9800998ecf8427e | algorithm md5 is not sha256 or sha512",
            "app@latest                            | it has no algorithm"})
    void refusesMalformedNamesAndSaysWhy(String text, String why) {
        refused(text, why);
    }

    @Test
    void refusesUpperCaseDigestsIdsAndOverlongNames() {
        refused("app@sha256:" + "A1".repeat(32), "lower case hex digits");
        refused("a1".repeat(32), "64 hex digits are an image id, not a name");
        refused("quay.io/" + "a".repeat(256), "the repository has 256 characters, at most 255 are allowed");
        refused("a".repeat(2000), "it has 2000 characters, at most 1024 are allowed");
        refused("app:" + "t".repeat(129), "1 to 128 letters");
    }

    private static void refused(String text, String why) {
        assertThatExceptionOfType(ImageException.class).isThrownBy(() -> ImageReference.parse(text))
                .withMessageContaining(why).withMessageContaining("invalid image reference")
                .satisfies(e -> assertThat(e.kind()).isEqualTo(Kind.INVALID));
    }
}
