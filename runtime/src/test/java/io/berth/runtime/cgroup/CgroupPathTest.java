package io.berth.runtime.cgroup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.runtime.cgroup.Cgroups.Driver;
import io.berth.runtime.cgroup.Cgroups.PodCgroup;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class CgroupPathTest {
    @Test
    void kubeletsParentIsThePods() {
        assertThat(CgroupPath.ofPod(Driver.CGROUPFS, "/kubepods/burstable/pod1/", "s")).isEqualTo(
                "/kubepods/burstable/pod1");
        assertThat(CgroupPath.ofPod(Driver.SYSTEMD, "/kubepods.slice/kubepods-pod1.slice", "s")).isEqualTo(
                "kubepods-pod1.slice");
    }

    @Test
    void aPodWithoutParentHasOneOfBerths() {
        assertThat(CgroupPath.ofPod(Driver.CGROUPFS, "", "s1")).isEqualTo("/berth/s1");
        assertThat(CgroupPath.ofPod(Driver.SYSTEMD, "", "s1")).isEqualTo("berth-s1.slice");
    }

    @Test
    void aSlicesNameIsItsPath() {
        assertThat(CgroupPath.directory("kubepods-besteffort-pod1_2.slice")).isEqualTo(
                Path.of("kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1_2.slice"));
        String container = new PodCgroup("kubepods-pod1.slice", List.of()).containerPath("c1");
        assertThat(container).isEqualTo("kubepods-pod1.slice:berth:c1");
        assertThat(CgroupPath.directory(container)).isEqualTo(
                Path.of("kubepods.slice/kubepods-pod1.slice/berth-c1.scope"));
    }

    @Test
    void aPathStaysBelowTheRoot() {
        assertThat(CgroupPath.directory("/kubepods/pod1/c1")).isEqualTo(Path.of("kubepods/pod1/c1"));
        assertThat(CgroupPath.directory("/../../etc")).isEqualTo(Path.of("etc"));
    }

    @Test
    void refusesAParentOfTheOtherDriver() {
        assertThatThrownBy(() -> CgroupPath.ofPod(Driver.CGROUPFS, "kubepods-pod1.slice", "s"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("is a systemd slice, but berth uses the cgroupfs driver");
        for (String parent : List.of("/kubepods/pod1", ".slice", "-a.slice", "a--b.slice", "a:b.slice")) {
            assertThatThrownBy(() -> CgroupPath.ofPod(Driver.SYSTEMD, parent, "s"))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining(parent + " is not a systemd slice");
        }
        assertThatThrownBy(() -> CgroupPath.ofPod(Driver.CGROUPFS, "/", "s"))
                .hasMessageContaining("is the root of all cgroups");
    }

    @Test
    void refusesAParentWithAWayUp() {
        for (String parent : List.of("/..", "kubepods/../pods", "../pods", "/kubepods/..")) {
            assertThatThrownBy(() -> CgroupPath.ofPod(Driver.CGROUPFS, parent, "s"))
                    .hasMessageContaining(parent + " must not contain \"..\"");
        }
    }
}
