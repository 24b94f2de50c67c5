package io.berth.runtime.oci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class OciCommandTest {
    private static final Duration LONG = Duration.ofSeconds(30);
    private static final byte[] NOTHING = {};

    @Test
    void givesTheOutputAndTheLastErrorMessage() throws OciException {
        OciCommand.Result result = OciCommand.run(List.of("/bin/sh", "-c", """
            cat; echo '{"level":"warning","msg":"soft"}' >&2; echo '{"level":"error","msg":"first"}' >&2
            echo '{"level":"error","msg":"last"}' >&2; exit 3"""), "in".getBytes(StandardCharsets.UTF_8),
                LONG);
        assertThat(result).isEqualTo(new OciCommand.Result(3, "in", "last"));
    }

    @Test
    void takesTextThatIsNoLogAsItIs() {
        assertThat(OciCommand.errorText("{not json\nplain words\n")).isEqualTo("{not json\nplain words");
        assertThat(OciCommand.errorText("x".repeat(5000))).hasSize(2000);
    }

    @Test
    void killsACommandAndItsChildrenAtTheDeadline() {
        assertThatThrownBy(() -> OciCommand.run(List.of("/bin/sh", "-c", "sleep 4711 & sleep 4711"), NOTHING,
                Duration.ofMillis(300)))
                .isInstanceOfSatisfying(OciException.class,
                        e -> assertThat(e.kind()).isEqualTo(OciException.Kind.TIMEOUT))
                .hasMessageContaining("did not end within 300 ms and was killed");
        assertThat(ProcessHandle.current().descendants()
                .filter(process -> process.info().arguments().map(a -> List.of(a).contains("4711"))
                        .orElse(false)))
                .isEmpty();
    }

    @Test
    void namesAnExecutableThatIsAbsent() {
        assertThatThrownBy(() -> OciCommand.run(List.of("/no/such/runc"), NOTHING, LONG))
                .hasMessageContaining("run /no/such/runc: ")
                .hasMessageContaining("correct its path under [runtimes]");
    }
}
