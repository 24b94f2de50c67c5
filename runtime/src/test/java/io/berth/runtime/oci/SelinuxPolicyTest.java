package io.berth.runtime.oci;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.runtime.oci.SelinuxPolicy.Context;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SelinuxPolicyTest {
    @TempDir
    Path root;

    @Test
    void aNodeWithoutSelinuxHasNone() throws IOException {
        assertThat(SelinuxPolicy.detect(root)).isEmpty();
    }

    @Test
    void theContextsOfContainersAreThoseOfThePolicyThatIsConfigured() throws IOException {
        write("sys/fs/selinux/enforce", "1");
        write("sys/fs/selinux/mls", "1");
        write("sys/fs/selinux/context", "");
        write("etc/selinux/config", "# which\nSELINUX=enforcing\nSELINUXTYPE=default\n");
        write("etc/selinux/default/contexts/lxc_contexts", """
            process = "system_u:system_r:container_t:s0"
            content = "system_u:object_r:virt_var_lib_t:s0"
            file = "system_u:object_r:container_file_t:s0"
            """);

        SelinuxPolicy policy = SelinuxPolicy.detect(root).orElseThrow();

        assertThat(policy.process()).contains(new Context("system_u", "system_r", "container_t"));
        assertThat(policy.file()).contains(new Context("system_u", "object_r", "container_file_t"));
        assertThat(policy.levels()).isTrue();
    }

    @Test
    void aPolicyWithoutContainersHasNoContextsForThem() throws IOException {
        write("sys/fs/selinux/enforce", "0");
        write("sys/fs/selinux/mls", "0");

        SelinuxPolicy policy = SelinuxPolicy.detect(root).orElseThrow();

        assertThat(policy.process()).isEmpty();
        assertThat(policy.newLevel(Set.of(), new Random())).isEmpty();
    }

    @Test
    void contextsThatTheKernelDoesNotTakeAreNotThere() throws IOException {
        write("sys/fs/selinux/enforce", "1");
        Files.createDirectory(root.resolve("sys/fs/selinux/context"));
        write("etc/selinux/targeted/contexts/lxc_contexts",
                "process = \"system_u:system_r:container_t:s0\"\n");

        assertThat(SelinuxPolicy.detect(root).orElseThrow().process()).isEmpty();
    }

    @Test
    void everyPodGetsALevelThatNoOtherHas() {
        SelinuxPolicy policy = new SelinuxPolicy(Optional.empty(), Optional.empty(), true);
        Set<String> levels = new HashSet<>();
        Random random = new Random(1);
        for (int i = 0; i < 5000; i++) {
            String level = policy.newLevel(levels, random);
            assertThat(level).matches("s0:c\\d+,c\\d+");
            String[] categories = level.substring("s0:c".length()).split(",c");
            assertThat(Integer.parseInt(categories[0])).isLessThan(Integer.parseInt(categories[1]));
            assertThat(levels.add(level)).isTrue();
        }
    }

    private void write(String name, String text) throws IOException {
        Path file = root.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }
}
