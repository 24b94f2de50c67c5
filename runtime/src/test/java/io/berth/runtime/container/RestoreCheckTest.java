package io.berth.runtime.container;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.Test;

final class RestoreCheckTest {
    private static final String SPEC = """
        {"process": {"user": {"uid": 1, "gid": 2, "additionalGids": [3]}, "args": ["a"], "env": ["X=1", "HOSTNAME=h"],
          "capabilities": {"bounding": ["CAP_KILL"]}},
         "linux": {"namespaces": [{"type": "pid"}, {"type": "network", "path": "/n"}]},
         "mounts": [{"destination": "/data", "type": "bind", "source": "/one"}, {"destination": "/proc", "type": "proc"}]}
        """;

    @Test
    void whatIsThePodsOrTheNodesMayDiffer() {
        assertThatCode(() -> check(
                SPEC.replace("/one", "/two").replace("\"/n\"", "\"/m\"").replace("HOSTNAME=h", "HOSTNAME=i"),
                true))
                .doesNotThrowAnyException();
        assertThatCode(() -> check(SPEC.replace("[3]", "[2, 3]"), true))
                .as("the primary group among the others")
                .doesNotThrowAnyException();
    }

    @Test
    void everyFieldThatDiffersIsNamed() {
        refused(SPEC.replace("\"uid\": 1", "\"uid\": 0"), "run_as_user: was 1, is 0");
        refused(SPEC.replace("\"gid\": 2", "\"gid\": 0"), "run_as_group");
        refused(SPEC.replace("[3]", "[4]"), "supplemental_groups");
        refused(SPEC.replace("CAP_KILL", "CAP_SYS_ADMIN"), "capabilities (bounding)");
        refused(SPEC.replace("{\"type\": \"pid\"}", "{\"type\": \"pid\", \"path\": \"/p\"}"),
                "namespace_options");
        refused(SPEC.replace("/data", "/other"), "mounts: it has [/data]");
        refused(SPEC.replace("\"args\": [\"a\"]", "\"args\": [\"b\"]"), "command and args");
        refused(SPEC.replace("X=1", "X=2"), "envs differ");
    }

    @Test
    void onlyAnExactRestoreComparesTheCommandLine() {
        assertThatCode(() -> check(
                SPEC.replace("\"args\": [\"a\"]", "\"args\": [\"b\"]").replace("X=1", "X=2"), false))
                .doesNotThrowAnyException();
    }

    private static void refused(String wanted, String words) {
        assertThatThrownBy(() -> check(wanted, true)).hasMessageContaining(words)
                .hasMessageContaining("a.tar");
    }

    private static void check(String wanted, boolean exact) throws Exception {
        RestoreCheck.check(json(SPEC), json(wanted), exact, "a.tar");
    }

    private static JsonNode json(String text) throws JsonProcessingException {
        return new ObjectMapper().readTree(text);
    }
}
