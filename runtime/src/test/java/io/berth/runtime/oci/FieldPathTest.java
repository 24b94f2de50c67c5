package io.berth.runtime.oci;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.UpdateContainerResourcesRequest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FieldPathTest {
    @ParameterizedTest
    @CsvSource({"envs, config.envs", "mounts.host_path, config.mounts.host_path",
            "annotations, config.annotations",
            "memory_limit_in_bytes, config.linux.resources.memory_limit_in_bytes",
            "hugepage_limits.page_size, config.linux.resources.hugepage_limits.page_size",
            "run_as_user, config.linux.security_context.run_as_user",
            "seccomp.localhost_ref, config.linux.security_context.seccomp.localhost_ref",
            "apparmor.localhost_ref, config.linux.security_context.apparmor.localhost_ref",
            "userns_options.uids, config.linux.security_context.namespace_options.userns_options.uids",
            "the image's USER, the image's USER"})
    void aFieldOfAContainerHasItsWholePath(String tail, String path) {
        assertThat(FieldPath.of(ContainerConfig.getDescriptor(), "config", tail)).isEqualTo(path);
    }

    @Test
    void anErrorIsRetoldWithTheWholePathAndTheSameKind() {
        OciException told = OciException.unsupported("unified", "needs cgroup v2")
                .in(UpdateContainerResourcesRequest.getDescriptor(), "");

        assertThat(told).hasMessage("linux.unified: needs cgroup v2");
        assertThat(told.kind()).isEqualTo(OciException.Kind.UNSUPPORTED);
        OciException other = new OciException(OciException.Kind.FAILED, "read /dev: gone");
        assertThat(other.in(ContainerConfig.getDescriptor(), "config")).isSameAs(other);
    }
}
