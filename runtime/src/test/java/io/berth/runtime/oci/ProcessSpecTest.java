package io.berth.runtime.oci;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.berth.cri.v1.KeyValue;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProcessSpecTest {
    private SpecRequest request;

    @BeforeEach
    void prepare(@TempDir Path rootfs) {
        request = new SpecRequest(rootfs);
        request.container.clearCommand();
    }

    @Test
    void takesEntrypointAndCmdOfTheImageWhereNothingIsAsked() throws OciException {
        request.entrypoint.add("/entry");
        request.cmd.add("arg");
        assertThat(request.texts("/process/args")).containsExactly("/entry", "arg");
    }

    @Test
    void argumentsAloneReplaceTheImagesCmd() throws OciException {
        request.entrypoint.add("/entry");
        request.cmd.add("arg");
        request.container.addArgs("mine");
        assertThat(request.texts("/process/args")).containsExactly("/entry", "mine");
    }

    @Test
    void aCommandReplacesEntrypointAndCmd() throws OciException {
        request.entrypoint.add("/entry");
        request.cmd.add("arg");
        request.container.addCommand("/mine");
        assertThat(request.texts("/process/args")).containsExactly("/mine");
    }

    @Test
    void refusesToRunNothing() {
        request.isInvalid("command: is empty, and the image has neither entrypoint nor cmd");
    }

    @Test
    void laterVariablesReplaceEarlierOnesInPlace() throws OciException {
        request.container.addCommand("/x");
        request.imageEnv.addAll(List.of("PATH=/image", "A=image", "VALUELESS"));
        request.container.addEnvs(env("A", "first")).addEnvs(env("A", "a=b")).addEnvs(env("B", ""));
        assertThat(request.texts("/process/env"))
                .containsExactly("PATH=/image", "HOSTNAME=pod-1", "A=a=b", "B=");
    }

    @Test
    void aTerminalHasATypeAndAPathIsAlwaysThere() throws OciException {
        request.container.addCommand("/x").setTty(true);
        assertThat(request.at("/process/terminal").asBoolean()).isTrue();
        assertThat(request.texts("/process/env")).contains("TERM=xterm",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    }

    @Test
    void takesTheHostsNameFromTheSandboxsFileOnTheHostsNetwork(@TempDir Path files) throws IOException {
        request.container.addCommand("/x");
        request.sandbox.clearHostname();
        request.files.put("hostname", Files.writeString(files.resolve("hostname"), "node-7\n"));
        assertThat(request.texts("/process/env")).contains("HOSTNAME=node-7");
    }

    @Test
    void refusesVariablesThatCannotBeWritten() {
        request.container.addCommand("/x").addEnvs(env("A=B", "c"));
        request.isInvalid("envs: \"A=B\" is not the name of a variable");
        request.container.setEnvs(0, env("A", "x\0y"));
        request.isInvalid("envs: holds a NUL byte");
        request.container.setEnvs(0,
                KeyValue.newBuilder().setKey("RAW").setValue(ByteString.copyFrom(new byte[]{(byte) 0xff})));
        request.isInvalid("envs: the value of RAW is not UTF-8");
    }

    @Test
    void worksInTheRequestsDirectoryOrTheImagesOrTheRoot() throws OciException {
        request.container.addCommand("/x");
        assertThat(request.at("/process/cwd").asText()).isEqualTo("/");
        request.imageWorkingDir = "srv/app/";
        assertThat(request.at("/process/cwd").asText()).isEqualTo("/srv/app");
        request.container.setWorkingDir("/mine/../here");
        assertThat(request.at("/process/cwd").asText()).isEqualTo("/here");
        request.container.setWorkingDir("relative");
        request.isInvalid("working_dir: \"relative\" is not an absolute path");
    }

    @Test
    void anExecHasTheContainersProcessWithItsOwnCommandAndTerminal() throws OciException {
        request.container.addCommand("/x").addEnvs(env("A", "1"));
        request.security().setNoNewPrivs(true);
        OciSpec stored = OciSpec.parse(request.build().bytes());
        var process = OciSpec.parseJson(stored.execProcess(List.of("/bin/sh", "-c", "id"), true), "process");
        assertThat(process.path("args")).hasSize(3);
        assertThat(process.path("terminal").asBoolean()).isTrue();
        assertThat(process.path("env").toString()).contains("A=1", "TERM=xterm");
        assertThat(process.path("noNewPrivileges").asBoolean()).isTrue();
        assertThat(process.path("capabilities")).isEqualTo(stored.json().at("/process/capabilities"));
        assertThat(stored.json().at("/process/args")).hasSize(1);
    }

    @Test
    void tellsWhatTheFieldsAnnotationsSay() throws OciException {
        request.container.addCommand("/x").putAnnotations("io.kubernetes.container.hash", "42");
        request.sandbox.getMetadataBuilder().setName("p").setNamespace("n").setUid("u");
        assertThat(request.at("/annotations/io.kubernetes.container.hash").asText()).isEqualTo("42");
        assertThat(request.at("/annotations/io.kubernetes.cri.sandbox-id").asText()).isEqualTo("s1");
        assertThat(request.at("/annotations/io.kubernetes.cri.sandbox-namespace").asText()).isEqualTo("n");
    }

    @Test
    void refusesWhatNoSpecCanCarry() {
        request.container.addCommand("/x").putAnnotations("io.kubernetes.cri.rdt-class", "gold");
        request.isInvalid(
                "annotations: io.kubernetes.cri.rdt-class: rdt and blockio classes are not supported");
        request.container.clearAnnotations();
        request.sandbox.putAnnotations("blockio.resources.beta.kubernetes.io/pod", "slow");
        request.isInvalid("annotations: blockio.resources.beta.kubernetes.io/pod");
        request.sandbox.clearAnnotations();
        request.container.getWindowsBuilder();
        request.isInvalid("windows: this is a Linux node");
    }

    @Test
    void clampsTheOomScoreWhereTheDaemonMayNotLowerIt() throws OciException {
        request.container.addCommand("/x");
        request.resources().setOomScoreAdj(-998);
        assertThat(request.at("/process/oomScoreAdj").asInt()).isEqualTo(-998);
        assertThat(request.build().warnings()).isEmpty();
        request.host = SpecRequest.poorHost();
        OciSpec clamped = request.build();
        assertThat(clamped.json().at("/process/oomScoreAdj").asInt()).isEqualTo(50);
        assertThat(clamped.warnings()).singleElement().asString()
                .contains("oom_score_adj -998 was raised to 50");
        request.resources().setOomScoreAdj(1001);
        request.isInvalid("oom_score_adj: 1001 is not from -1000 to 1000");
    }

    private static KeyValue env(String name, String value) {
        return KeyValue.newBuilder().setKey(name).setValue(ByteString.copyFromUtf8(value)).build();
    }
}
