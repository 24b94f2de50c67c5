package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.Capability;
import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.LinuxContainerSecurityContext;
import io.berth.cri.v1.SecurityProfile;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.node.Command;
import io.berth.e2e.node.Node;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

@NeedsFeature(NodeFeature.APPARMOR)
@Testcontainers
@ParameterizedClass
@ValueSource(strings = {"runc", "crun"})
final class AppArmorIT {
    @Container
    static final Node NODE = new Node();

    private final String handler;

    AppArmorIT(String handler) {
        this.handler = handler;
    }

    private static final String CURRENT = "cat /proc/self/attr/current";
    private static final String DEFAULT = "berth-default (enforce)";
    private static final String LOCAL = "e2e-no-writes";

    @Test
    void aContainerHasTheDefaultProfileWhetherItAsksOrNot() {
        assertThat(shell(context -> {}, CURRENT)).isEqualTo(DEFAULT);
        assertThat(
                shell(context -> context.setApparmor(profile(SecurityProfile.ProfileType.RuntimeDefault, "")),
                        CURRENT))
                .isEqualTo(DEFAULT);
    }

    @Test
    void theDefaultProfileForbidsMountsThatCapabilitiesWouldAllow() {
        Consumer<LinuxContainerSecurityContext.Builder> mighty = context -> context
                .setCapabilities(Capability.newBuilder().addAddCapabilities("SYS_ADMIN"))
                .setSeccomp(profile(SecurityProfile.ProfileType.Unconfined, ""));
        String mount = "mount -t tmpfs none /tmp 2>&1 && echo mounted || true";

        assertThat(shell(mighty, mount)).containsIgnoringCase("permission denied");
        assertThat(shell(mighty.andThen(
                context -> context.setApparmor(profile(SecurityProfile.ProfileType.Unconfined, ""))), mount))
                .isEqualTo("mounted");
    }

    @Test
    void unconfinedIsUnconfined() {
        assertThat(shell(context -> context.setApparmor(profile(SecurityProfile.ProfileType.Unconfined, "")),
                CURRENT)).isEqualTo("unconfined");
    }

    @Test
    void aPrivilegedContainerHasNoProfile() {
        var config = Configs.pod("privileged", NODE.logs());
        config.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true);
        try (PodHandle pod = PodHandle.run(NODE.cri(), config, handler)) {
            ContainerConfig.Builder container = Configs.container("main", NODE.busybox(), "sh", "-c",
                    CURRENT);
            container.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true);

            assertThat(pod.start(container).output()).isEqualTo("unconfined");
        }
    }

    @Test
    void aLocalProfileIsInForce() throws IOException {
        load("profile " + LOCAL + " flags=(attach_disconnected,mediate_deleted) { file, deny /tmp/** w, }");
        Consumer<LinuxContainerSecurityContext.Builder> local = context -> context
                .setApparmor(profile(SecurityProfile.ProfileType.Localhost, LOCAL));

        assertThat(shell(local, CURRENT)).isEqualTo(LOCAL + " (enforce)");
        assertThat(shell(local, "touch /tmp/x 2>&1 || true")).contains("Permission denied");
        assertThat(shell(local, "touch /x && echo ok")).isEqualTo("ok");
    }

    @Test
    @SuppressWarnings("deprecation") // What older kubelets send.
    void theDeprecatedFieldNamesALocalProfileToo() throws IOException {
        load("profile " + LOCAL + " flags=(attach_disconnected,mediate_deleted) { file, deny /tmp/** w, }");

        assertThat(shell(context -> context.setApparmorProfile("localhost/" + LOCAL), CURRENT))
                .isEqualTo(LOCAL + " (enforce)");
    }

    @Test
    void aProfileThatIsNotLoadedIsNamed() {
        assertThatThrownBy(() -> shell(
                context -> context.setApparmor(profile(SecurityProfile.ProfileType.Localhost, "not-there")),
                "true")).hasMessageContaining("INVALID_ARGUMENT")
                .hasMessageContaining("\"not-there\" is not loaded");
    }

    @Test
    void aDefaultProfileThatSomebodyUnloadedIsLoadedAgain() throws IOException {
        Path named = Files.writeString(NODE.directory().resolve("remove.profile"),
                "profile berth-default { }\n");
        Command.output("apparmor_parser", "--remove", named.toString());
        assertThat(Files.readString(Path.of("/sys/kernel/security/apparmor/profiles")))
                .doesNotContain("berth-default ");

        assertThat(shell(context -> {}, CURRENT)).isEqualTo(DEFAULT);
    }

    private static SecurityProfile profile(SecurityProfile.ProfileType type, String name) {
        return SecurityProfile.newBuilder().setProfileType(type).setLocalhostRef(name).build();
    }

    private static void load(String text) throws IOException {
        Path file = Files.writeString(NODE.directory().resolve("local.profile"), text + "\n");
        Command.output("apparmor_parser", "--skip-cache", "--replace", file.toString());
    }

    /** What {@code script}, as the container's own process, prints to stdout. */
    private String shell(Consumer<LinuxContainerSecurityContext.Builder> change, String script) {
        try (PodHandle pod = NODE.pod("apparmor", handler)) {
            ContainerConfig.Builder container = Configs.container("main", NODE.busybox(), "sh", "-c", script);
            change.accept(container.getLinuxBuilder().getSecurityContextBuilder());
            return pod.start(container).output();
        }
    }
}
