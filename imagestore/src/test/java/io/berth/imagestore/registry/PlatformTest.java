package io.berth.imagestore.registry;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PlatformTest {
    @ParameterizedTest
    @CsvSource({"arm64, v8, arm64, '', true", "arm64, v8, arm64, v8, true", "arm64, v8, arm64, v9, false",
            "arm64, v8, arm, v7, false", "arm, v7, arm, v6, true", "arm, v6, arm, v7, false",
            "amd64, '', amd64, '', true", "amd64, '', amd64, v1, true", "amd64, '', amd64, v3, false",
            "amd64, v3, amd64, v2, true", "amd64, v3, amd64, '', true", "amd64, v2, amd64, v3, false",
            "amd64, '', arm64, '', false", "amd64, '', amd64, x, false"})
    void anImageRunsWhereItsVariantIsNotNewerThanTheNode(String architecture, String variant, String offered,
            String offeredVariant, boolean runs) {
        assertThat(new Platform("linux", architecture, variant)
                .suits(new Platform("linux", offered, offeredVariant)) >= 0).isEqualTo(runs);
    }

    @Test
    void theNewestVariantThatRunsIsChosenAndEntriesWithoutAPlatformComeLast() throws Exception {
        String entry = "{\"mediaType\":\"m\",\"digest\":\"sha256:%s\",\"size\":1%s}";
        String platform = ",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"%s\"}";
        byte[] index = TestImage.index(entry.formatted("00".repeat(32), ""),
                entry.formatted("05".repeat(32), platform.formatted("v5")),
                entry.formatted("07".repeat(32), platform.formatted("v7")),
                entry.formatted("06".repeat(32), platform.formatted("v6")),
                entry.formatted("08".repeat(32), platform.formatted("v8")));
        ManifestDocument document = ManifestDocument.parse(Digest.of("sha256", index), "", index);
        assertThat(document.candidates(new Platform("linux", "arm", "v7")))
                .extracting(candidate -> candidate.descriptor().digest().substring(7, 9))
                .isEqualTo(List.of("07", "06", "05", "00"));
    }

    @Test
    void thisNodeIsLinux() {
        assertThat(Platform.ofThisNode().os()).isEqualTo("linux");
        assertThat(Platform.ofThisNode().suits(Platform.ofThisNode())).isPositive();
    }

    @Test
    void theLevelOfAProcessorIsTheHighestWhoseFlagsAreAllThere() {
        String second = "fpu sse2 cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3";
        String third = " abm avx avx2 bmi1 bmi2 f16c fma movbe xsave";
        assertThat(X86Level.of(flags("fpu sse2"))).isEqualTo(1);
        assertThat(X86Level.of(flags("fpu sse2" + third))).isEqualTo(1);
        assertThat(X86Level.of(flags(second))).isEqualTo(2);
        assertThat(X86Level.of(flags(second + third))).isEqualTo(3);
        assertThat(X86Level.of(flags(second + third + " avx512f avx512bw avx512cd avx512dq avx512vl")))
                .isEqualTo(4);
    }

    private static Set<String> flags(String text) {
        return Set.of(text.split(" "));
    }
}
