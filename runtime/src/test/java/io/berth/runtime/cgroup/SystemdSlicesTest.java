package io.berth.runtime.cgroup;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.HugepageLimit;
import io.berth.cri.v1.LinuxContainerResources;
import org.junit.jupiter.api.Test;

final class SystemdSlicesTest {
    @Test
    void limitsAreTheUnitsProperties() {
        LinuxContainerResources limits = LinuxContainerResources.newBuilder().setCpuShares(1024)
                .setCpuPeriod(50_000).setCpuQuota(20_000).setCpusetCpus("0-1").setCpusetMems("0")
                .setMemoryLimitInBytes(64 << 20).setMemorySwapLimitInBytes(96 << 20)
                .putUnified("memory.high", "max").build();

        assertThat(SystemdSlices.properties(limits)).containsExactly("CPUWeight=39",
                "CPUQuotaPeriodSec=50000us", "CPUQuota=40.00%", "AllowedCPUs=0-1", "AllowedMemoryNodes=0",
                "MemoryMax=67108864", "MemorySwapMax=33554432", "MemoryHigh=infinity");
        assertThat(SystemdSlices.others(limits)).isEqualTo(LinuxContainerResources.getDefaultInstance());
    }

    @Test
    void aLimitCanBeTakenAway() {
        assertThat(SystemdSlices.properties(LinuxContainerResources.newBuilder().setCpuQuota(-1)
                .setMemoryLimitInBytes(-1).setMemorySwapLimitInBytes(-1).build()))
                .containsExactly("CPUQuota=", "MemoryMax=infinity", "MemorySwapMax=infinity");
    }

    @Test
    void whatSystemdDoesNotKnowIsLeftForTheFiles() {
        LinuxContainerResources limits = LinuxContainerResources.newBuilder()
                .addHugepageLimits(HugepageLimit.newBuilder().setPageSize("2MB").setLimit(4 << 20))
                .putUnified("memory.oom.group", "1").build();

        assertThat(SystemdSlices.properties(limits)).isEmpty();
        assertThat(SystemdSlices.others(limits)).isEqualTo(limits);
    }
}
