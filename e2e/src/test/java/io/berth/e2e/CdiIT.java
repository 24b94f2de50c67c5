package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.CDIDevice;
import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.Int64Value;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Node;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** Devices of the Container Device Interface. */
@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class CdiIT {
    private static final Path SPECS = Node.workspace().resolve("cdi");

    @Container
    static final Node NODE = new Node("cdi.spec_dirs = [\"%1$s/etc\", \"%1$s/run\"]".formatted(SPECS));

    private final String handler;

    CdiIT(String handler) {
        this.handler = handler;
    }

    @BeforeEach
    void noSpecs() throws IOException {
        for (String directory : new String[]{"etc", "run"}) {
            Files.createDirectories(SPECS.resolve(directory));
            try (var files = Files.list(SPECS.resolve(directory))) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
        }
    }

    @Test
    void aDeviceBringsItsNodesMountsVariablesAndGroups() throws IOException {
        Path library = Files.createDirectories(NODE.directory().resolve("vendor-" + handler));
        Files.writeString(library.resolve("lib.so"), "library");
        write("etc/vendor.json",
                """
                    {"cdiVersion": "0.7.0", "kind": "vendor.com/gpu", "annotations": {"of": "all"},
                     "containerEdits": {
                       "env": ["VENDOR=all", "PATH=/vendor/bin:/bin"],
                       "mounts": [{"hostPath": "%s", "containerPath": "/usr/vendor", "options": ["ro", "rbind", "nosuid"]}]},
                     "devices": [
                       {"name": "0", "containerEdits": {
                          "env": ["GPU=zero"], "additionalGids": [4242, 0],
                          "deviceNodes": [
                            {"path": "/dev/vendor0", "hostPath": "/dev/zero"},
                            {"path": "/dev/readable", "type": "c", "major": 10, "minor": 229, "permissions": "r"},
                            {"path": "/dev/numbered", "type": "c", "major": 1, "minor": 5, "fileMode": 416, "uid": 7, "gid": 8}
                          ]}},
                       {"name": "1", "containerEdits": {"env": ["OTHER=1"]}}]}
                    """.formatted(
                        library));
        try (PodHandle pod = NODE.pod("device", handler)) {
            ContainerHandle container = pod.start(device("vendor.com/gpu=0"));

            assertThat(container.sh("echo $VENDOR $GPU $OTHER; echo $PATH"))
                    .isEqualTo("all zero\n/vendor/bin:/bin");
            assertThat(container.sh("cat /usr/vendor/lib.so; touch /usr/vendor/x 2>&1 || true"))
                    .startsWith("library").contains("Read-only");
            assertThat(container.sh("head -c 4 /dev/vendor0 | md5sum"))
                    .startsWith("f1d3ff8443297732862df21dc4e57262");
            assertThat(container.sh("sh -c ': > /dev/readable' 2>&1 || true")).contains("not permitted");
            assertThat(container.sh("sh -c ': < /dev/readable' 2>&1 || true"))
                    .doesNotContain("not permitted");
            assertThat(container.sh("stat -c '%t:%T %a %u:%g' /dev/numbered")).isEqualTo("1:5 640 7:8");
            assertThat(container.sh("id -G")).contains("4242");
        }
    }

    @Test
    void aYamlFileIsAsGoodAndItsHooksRun() throws IOException {
        Path trace = NODE.directory().resolve("hook-" + handler);
        Path hook = script("hook-%s.sh".formatted(handler), "cat > /dev/null; echo $WHO $1 >> " + trace);
        write("run/vendor.yaml", """
            ---
            cdiVersion: "0.5.0"
            kind: vendor.com/net
            devices:
              - name: eth
                containerEdits:
                  hooks:
                    - hookName: createRuntime
                      path: %1$s
                      args: [hook, ran]
                      env: [WHO=vendor]
                      timeout: 10
            """.formatted(hook));
        try (PodHandle pod = NODE.pod("yaml", handler)) {
            pod.start(device("vendor.com/net=eth"));

            assertThat(trace).hasContent("vendor ran\n");
        }
    }

    @Test
    void anAnnotationAsksForDevicesToo() throws IOException {
        write("etc/vendor.json", spec("vendor.com/a", "x", "A=1"));
        write("etc/other.json", spec("vendor.com/b", "y", "B=2"));
        try (PodHandle pod = NODE.pod("annotation", handler)) {
            ContainerHandle container = pod.start(idle()
                    .putAnnotations("cdi.k8s.io/vendor_plugin", "vendor.com/a=x,vendor.com/b=y")
                    .addCDIDevices(CDIDevice.newBuilder().setName("vendor.com/a=x")));

            assertThat(container.sh("echo $A $B; env | grep -c ^A=")).isEqualTo("1 2\n1");
        }
    }

    @Test
    void theLaterDirectoryWinsAndAChangedFileIsReadAgain() throws IOException {
        write("etc/vendor.json", spec("vendor.com/gpu", "0", "FROM=etc"));
        try (PodHandle pod = NODE.pod("priority", handler)) {
            assertThat(from(pod, "one")).isEqualTo("etc");
            write("run/vendor.json", spec("vendor.com/gpu", "0", "FROM=run"));
            assertThat(from(pod, "two")).isEqualTo("run");
            write("run/vendor.json", spec("vendor.com/gpu", "0", "FROM=new"));
            assertThat(from(pod, "three")).isEqualTo("new");
            Files.delete(SPECS.resolve("run/vendor.json"));
            assertThat(from(pod, "four")).isEqualTo("etc");
        }
    }

    @Test
    void whatIsMissingOrDoubtfulIsNamed() throws IOException {
        try (PodHandle pod = NODE.pod("errors", handler)) {
            refused(pod, "vendor.com/gpu=0", "vendor.com/gpu=0 is described by no file", SPECS + "/etc");
            refused(pod, "gpu0", "vendor/class=device");
            write("etc/a.json", spec("vendor.com/gpu", "0", "A=1"));
            write("etc/b.json", spec("vendor.com/gpu", "0", "A=2"));
            refused(pod, "vendor.com/gpu=0", "described twice", SPECS + "/etc/a.json", SPECS + "/etc/b.json");
            write("etc/broken.json", "{\"cdiVersion\": \"0.6.0\",");
            write("etc/typo.yaml",
                    "cdiVersion: 0.6.0\nkind: v.com/x\ndevices: [{name: a, containerEdit: {}}]\n");
            refused(pod, "vendor.com/gpu=1", SPECS + "/etc/broken.json is left out", SPECS
                    + "/etc/typo.yaml is left out", "containerEdit");
            write("etc/rdt.json",
                    """
                        {"cdiVersion": "1.1.0", "kind": "vendor.com/rdt", "devices": [
                          {"name": "a", "containerEdits": {"intelRdt": {"closID": "gold"}}},
                          {"name": "b", "containerEdits": {"netDevices": [{"hostInterfaceName": "eth9", "name": "e"}]}},
                          {"name": "c", "containerEdits": {"deviceNodes": [{"path": "/dev/none-such"}]}},
                          {"name": "d", "containerEdits": {"mounts": [
                             {"hostPath": "/none/such", "containerPath": "/x", "options": ["bind"]}]}},
                          {"name": "e", "containerEdits": {"hooks": [{"hookName": "poststop", "path": "/none/such"}]}}]}
                        """);
            refused(pod, "vendor.com/rdt=a", "intelRdt", "rdt.json");
            refused(pod, "vendor.com/rdt=b", "netDevices", "rdt.json");
            refused(pod, "vendor.com/rdt=c", "/dev/none-such", "rdt.json");
            refused(pod, "vendor.com/rdt=d", "/none/such does not exist", "rdt.json");
            refused(pod, "vendor.com/rdt=e", "/none/such is no program", "rdt.json");
        }
    }

    @Test
    void aDeviceBelongsToTheUserOfTheContainerWhereItsFileSaysNothing() throws IOException {
        write("etc/vendor.json",
                """
                    {"cdiVersion": "0.6.0", "kind": "vendor.com/gpu", "devices": [{"name": "gpu0", "containerEdits":
                      {"deviceNodes": [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 5, "fileMode": 384}]}}]}
                    """);
        try (PodHandle pod = NODE.pod("user", handler)) {
            ContainerConfig.Builder config = device("vendor.com/gpu=gpu0");
            config.getLinuxBuilder().getSecurityContextBuilder()
                    .setRunAsUser(Int64Value.newBuilder().setValue(1000));

            assertThat(pod.start(config).sh("head -c 1 /dev/mine | wc -c")).isEqualTo("1");
        }
    }

    private static String from(PodHandle pod, String name) {
        ContainerConfig.Builder config = device("vendor.com/gpu=0");
        config.getMetadataBuilder().setName(name);
        return pod.start(config).sh("echo $FROM");
    }

    private static void refused(PodHandle pod, String device, String... messages) {
        assertThatThrownBy(() -> pod.create(device(device)))
                .isInstanceOfSatisfying(StatusRuntimeException.class, e -> {
                    assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
                    assertThat(e.getMessage()).contains("CDI_devices").contains(messages);
                });
    }

    private static ContainerConfig.Builder idle() {
        return Configs.container("main", NODE.busybox(), "sleep", "1000");
    }

    private static ContainerConfig.Builder device(String name) {
        return idle().addCDIDevices(CDIDevice.newBuilder().setName(name));
    }

    private static String spec(String kind, String device, String env) {
        return """
            {"cdiVersion": "0.5.0", "kind": "%s",
             "devices": [{"name": "%s", "containerEdits": {"env": ["%s"]}}]}
            """.formatted(kind, device, env);
    }

    private static void write(String name, String text) throws IOException {
        // As drivers do: whole from the first moment.
        Path temporary = Files.writeString(SPECS.resolve("new"), text);
        Files.move(temporary, SPECS.resolve(name), StandardCopyOption.REPLACE_EXISTING);
    }

    private static Path script(String name, String text) throws IOException {
        Path script = Files.writeString(NODE.directory().resolve(name), "#!/bin/sh\n" + text + "\n");
        assertThat(script.toFile().setExecutable(true)).isTrue();
        return script;
    }
}
