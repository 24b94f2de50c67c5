package io.berth.runtime.cdi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.berth.cri.v1.CDIDevice;
import io.berth.cri.v1.ContainerConfig;
import io.berth.runtime.oci.OciException;
import io.berth.runtime.oci.OciSpec;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class CdiDevicesTest {
    @TempDir
    private Path low;
    @TempDir
    private Path high;
    private CdiDevices devices;

    @BeforeEach
    void open() {
        devices = new CdiDevices(List.of(low, high, low.resolve("absent")));
    }

    @Test
    void editsOfAFileAreMadeOnceAndThoseOfADeviceForEach() throws Exception {
        Files.writeString(low.resolve("v.yaml"), """
            cdiVersion: v0.5.0
            kind: v.com/x
            containerEdits:
              hooks: [{hookName: poststop, path: /bin/sh}]
            devices:
              - {name: 1a, containerEdits: {env: [A=1]}}
              - {name: b, containerEdits: {env: [A=2, B=2]}}
            """);
        JsonNode spec = inject("v.com/x=1a", "v.com/x=b");
        assertThat(spec.at("/hooks/poststop")).hasSize(1);
        assertThat(spec.at("/process/env").toString()).isEqualTo("[\"P=0\",\"A=2\",\"B=2\"]");
    }

    @Test
    void aMountTakesThePlaceOfAnotherAndParentsComeFirst() throws Exception {
        Files.writeString(low.resolve("v.json"), device("0.5.0", """
            {"mounts": [{"hostPath": "/etc", "containerPath": "/a/b", "options": ["bind"]},
                        {"hostPath": "/etc", "containerPath": "/data", "options": ["bind"]}]}"""));
        assertThat(inject("v.com/x=0").at("/mounts").toString()).isEqualTo(
                "[{\"destination\":\"/proc\"},{\"destination\":\"/data\",\"source\":\"/etc\",\"options\":[\"bind\"]},"
                        + "{\"destination\":\"/a/b\",\"source\":\"/etc\",\"options\":[\"bind\"]}]");
    }

    @Test
    void aDeviceOfTheNodeIsDescribedAsItIs() throws Exception {
        Files.writeString(low.resolve("v.json"), device("0.5.0",
                "{\"deviceNodes\": [{\"path\": \"/dev/mine\", \"hostPath\": \"/dev/null\", \"permissions\": \"rw\"}]}"));
        JsonNode spec = inject("v.com/x=0");
        assertThat(spec.at("/linux/devices/0").toString()).isEqualTo(
                "{\"path\":\"/dev/mine\",\"type\":\"c\",\"major\":1,\"minor\":3,\"fileMode\":438,\"uid\":1000,\"gid\":0}");
        assertThat(spec.at("/linux/resources/devices/0").toString())
                .isEqualTo("{\"allow\":true,\"type\":\"c\",\"access\":\"rw\",\"major\":1,\"minor\":3}");
        Files.writeString(low.resolve("v.json"),
                device("0.5.0", "{\"deviceNodes\": [{\"path\": \"/dev/null\", \"type\": \"b\"}]}"));
        refused("v.com/x=0", "/dev/null is of type c on this node, not b");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        0.2.0 | {"env": ["A=1"]} | cdiVersion 0.2.0 is not known
        2.0.0 | {"env": ["A=1"]} | cdiVersion 2.0.0 is not known
        new   | {"env": ["A=1"]} | cdiVersion "new" is not a version
        0.3.0 | {"mounts": [{"hostPath": "/a", "containerPath": "/b", "type": "none"}]} | it has fields of CDI 0.4.0
        0.4.0 | {"deviceNodes": [{"path": "/dev/x", "hostPath": "/dev/y"}]} | it has fields of CDI 0.5.0
        0.6.0 | {"additionalGids": [5]} | it has fields of CDI 0.7.0
        1.0.0 | {"netDevices": [{}]} | it has fields of CDI 1.1.0
        0.6.0 | {"env": ["=1"]} | env "=1" is not NAME=value
        0.6.0 | {"deviceNodes": [{"path": "x"}]} | deviceNodes.path "x" is not absolute
        0.6.0 | {"deviceNodes": [{"path": "/x", "type": "z"}]} | deviceNodes.type "z"
        0.6.0 | {"deviceNodes": [{"path": "/x", "permissions": "rx"}]} | deviceNodes.permissions "rx"
        0.6.0 | {"mounts": [{"hostPath": "/x", "containerPath": "y"}]} | mounts.containerPath "y"
        0.6.0 | {"mounts": [{"containerPath": "/y"}]} | hostPath
        0.6.0 | {"hooks": [{"hookName": "later", "path": "/x"}]} | hooks.hookName "later" is unknown
        0.6.0 | {"hooks": [{"hookName": "poststop", "path": "x"}]} | hooks.path "x" is not absolute
        0.6.0 | {"hooks": [{"hookName": "poststop", "path": "/x", "timeout": 0}]} | hooks.timeout
        0.6.0 | {"unknown": 1} | unknown
        0.6.0 | {"env": 1} | env
        """)
    void aFaultyFileIsLeftOutAndItsFaultTold(String version, String edits, String fault) throws IOException {
        Files.writeString(low.resolve("v.json"), device(version, edits));
        refused("v.com/x=0", low.resolve("v.json") + " is left out: ");
        refused("v.com/x=0", fault);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        {"cdiVersion": "0.5.0", "kind": "x", "devices": [{"name": "0", "containerEdits": {}}]} | kind "x"
        {"cdiVersion": "0.5.0", "kind": "v/x/y", "devices": [{"name": "0", "containerEdits": {}}]} | kind "v/x/y"
        {"cdiVersion": "0.5.0", "kind": "v/x", "devices": []} | it has no devices
        {"cdiVersion": "0.5.0", "kind": "v/x"} | devices
        {"cdiVersion": "0.5.0", "kind": "v/x", "devices": [{"name": "-", "containerEdits": {}}]} | no name of a device
        {"cdiVersion": "0.5.0", "kind": "v/x", "devices": [{"name": "0"}]} | containerEdits
        {"kind": "v/x", "devices": [{"name": "0", "containerEdits": {}}]} | cdiVersion
        {"cdiVersion": "0.5.0", "kind": "v/x.y", "devices": [{"name": "0", "containerEdits": {}}]} | CDI 0.6.0
        {"cdiVersion": "0.4.0", "kind": "v/x", "devices": [{"name": "0", "containerEdits": {}}]} | CDI 0.5.0
        [] | CdiSpec
        """)
    void whatIsNoSpecIsTold(String text, String fault) throws IOException {
        Files.writeString(low.resolve("v.json"), text);
        refused("v.com/x=0", fault);
    }

    @Test
    void aLaterDirectorySettlesAConflict() throws Exception {
        Files.writeString(low.resolve("a.json"), device("0.5.0", "{\"env\": [\"A=a\"]}"));
        Files.writeString(low.resolve("b.json"), device("0.5.0", "{\"env\": [\"A=b\"]}"));
        refused("v.com/x=0",
                "described twice, by " + low.resolve("a.json") + " and " + low.resolve("b.json"));
        Files.writeString(high.resolve("c.json"), device("0.5.0", "{\"env\": [\"A=c\"]}"));
        assertThat(inject("v.com/x=0").at("/process/env/1").asText()).isEqualTo("A=c");
    }

    private JsonNode inject(String... names) throws OciException {
        ContainerConfig.Builder container = ContainerConfig.newBuilder();
        for (String name : names) {
            container.addCDIDevices(CDIDevice.newBuilder().setName(name));
        }
        OciSpec spec = OciSpec.parse("""
            {"process": {"env": ["P=0"], "user": {"uid": 1000}}, "mounts": [{"destination": "/proc"}]}
            """.getBytes(StandardCharsets.UTF_8));
        devices.inject(container.build(), spec);
        return spec.json();
    }

    private void refused(String device, String message) {
        assertThatThrownBy(() -> inject(device)).isInstanceOfSatisfying(OciException.class, e -> {
            assertThat(e.kind()).isEqualTo(OciException.Kind.INVALID);
            assertThat(e.getMessage()).contains("CDI_devices").contains(message);
        });
    }

    private static String device(String version, String edits) {
        return "{\"cdiVersion\": \"%s\", \"kind\": \"v.com/x\", \"devices\": [{\"name\": \"%s\", \"containerEdits\": %s}]}"
                .formatted(version, version.compareTo("0.5") < 0 ? "x" : "0", edits);
    }
}
