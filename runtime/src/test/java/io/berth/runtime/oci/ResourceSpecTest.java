package io.berth.runtime.oci;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.berth.cri.v1.Device;
import io.berth.cri.v1.LinuxContainerResources;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Limits and devices. */
class ResourceSpecTest {
    private SpecRequest request;

    @BeforeEach
    void prepare(@TempDir Path rootfs) {
        request = new SpecRequest(rootfs);
    }

    @Test
    void passesCpuLimits() throws OciException {
        request.resources().setCpuShares(512).setCpuPeriod(100_000).setCpuQuota(-1).setCpusetCpus("0-1,3")
                .setCpusetMems("0");
        assertThat(request.at("/linux/resources/cpu").toString()).isEqualTo(
                "{\"shares\":512,\"period\":100000,\"quota\":-1,\"cpus\":\"0-1,3\",\"mems\":\"0\"}");
        request.resources().setCpusetCpus("0;1");
        request.isInvalid("cpuset_cpus: \"0;1\" is not a list such as 0-3,7");
        request.resources().clearCpusetCpus().setCpuQuota(-2);
        request.isInvalid("cpu_quota: -2 is negative");
        request.resources().clearCpuQuota().setCpuShares(-5);
        request.isInvalid("cpu_shares: -5 is negative");
    }

    @Test
    void aMemoryLimitMeansNoSwapUnlessAsked() throws OciException {
        request.resources().setMemoryLimitInBytes(1 << 20);
        assertThat(request.at("/linux/resources/memory").toString())
                .isEqualTo("{\"limit\":1048576,\"swap\":1048576}");
        request.resources().setMemorySwapLimitInBytes(1 << 21);
        assertThat(request.at("/linux/resources/memory/swap").asLong()).isEqualTo(1 << 21);
        request.resources().setMemorySwapLimitInBytes(1);
        request.isInvalid("memory_swap_limit_in_bytes: 1 is below memory_limit_in_bytes 1048576");
    }

    @Test
    void limitsSwapOnlyWhereTheKernelCountsIt() throws OciException {
        request.host = SpecRequest.poorHost();
        request.resources().setMemoryLimitInBytes(1 << 20).setMemorySwapLimitInBytes(1 << 20);
        assertThat(request.at("/linux/resources/memory").toString()).isEqualTo("{\"limit\":1048576}");
        request.resources().setMemorySwapLimitInBytes(1 << 21);
        request.isUnsupported("memory_swap_limit_in_bytes: this kernel does not account swap to cgroups");
    }

    @Test
    void saysNoSwapInVersionTwosWordsToo() throws OciException {
        request.host = SpecRequest.host(true);
        request.resources().setMemoryLimitInBytes(1 << 20);
        assertThat(request.at("/linux/resources/unified").toString())
                .isEqualTo("{\"memory.swap.max\":\"0\"}");
        request.resources().putUnified("memory.swap.max", "4096");
        assertThat(request.at("/linux/resources/unified").toString())
                .isEqualTo("{\"memory.swap.max\":\"4096\"}");
        request.resources().clearUnified().setMemorySwapLimitInBytes(1 << 21);
        assertThat(request.at("/linux/resources").has("unified")).isFalse();
    }

    @Test
    void limitsHugePagesWhereTheNodeCan() throws OciException {
        request.resources().addHugepageLimitsBuilder().setPageSize("2MB").setLimit(-1);
        assertThat(request.at("/linux/resources/hugepageLimits").toString())
                .isEqualTo("[{\"pageSize\":\"2MB\",\"limit\":9223372036854775807}]");
        request.host = SpecRequest.poorHost();
        request.isUnsupported("hugepage_limits: this node has no hugetlb cgroup controller");
        request.resources().getHugepageLimitsBuilder(0).setLimit(0);
        assertThat(request.at("/linux/resources").has("hugepageLimits")).isFalse();
        request.resources().getHugepageLimitsBuilder(0).setPageSize("big");
        request.isInvalid("hugepage_limits.page_size: \"big\" is not a size");
    }

    @Test
    void writesAnyFileOfVersionTwo() throws OciException {
        request.resources().putUnified("memory.high", "1000000");
        request.isUnsupported("unified: needs cgroup v2, and this node has cgroup v1");
        request.host = SpecRequest.host(true);
        assertThat(request.at("/linux/resources/unified").toString())
                .isEqualTo("{\"memory.high\":\"1000000\"}");
        request.resources().putUnified("../memory.max", "1");
        request.isInvalid("unified: \"../memory.max\" is not a cgroup file");
    }

    @Test
    void limitsTasksByTheNodesDefault() throws OciException {
        assertThat(request.at("/linux/resources").has("pids")).isFalse();
        request.pidsLimit = 100;
        assertThat(request.at("/linux/resources/pids/limit").asLong()).isEqualTo(100);
    }

    @Test
    void anUpdateHasOnlyWhatItSets() throws OciException {
        byte[] update = ResourceSection.update(
                LinuxContainerResources.newBuilder().setCpuShares(7).setOomScoreAdj(3).build(), request.host);
        assertThat(new String(update, StandardCharsets.UTF_8)).isEqualTo("{\"cpu\":{\"shares\":7}}");
    }

    @Test
    void givesADeviceAndAllowsNothingElse() throws OciException {
        device("/dev/null", "/dev/mine", "rw");
        JsonNode devices = request.at("/linux/devices");
        assertThat(devices).hasSize(1);
        assertThat(devices.at("/0/path").asText()).isEqualTo("/dev/mine");
        assertThat(devices.at("/0/type").asText()).isEqualTo("c");
        assertThat(devices.at("/0/major").asInt()).isEqualTo(1);
        assertThat(devices.at("/0/minor").asInt()).isEqualTo(3);
        assertThat(request.at("/linux/resources/devices").toString())
                .isEqualTo("[{\"allow\":false,\"access\":\"rwm\"},"
                        + "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"rw\"}]");
    }

    @Test
    void givesTheDevicesOfADirectory(@TempDir Path directory) throws Exception {
        Path sub = Files.createDirectory(directory.resolve("sub"));
        Files.writeString(directory.resolve("file"), "no device");
        assertThat(new ProcessBuilder("mknod", sub + "/zero", "c", "1", "5").start().waitFor()).isZero();
        device(directory.toString(), "/dev/group", "");
        assertThat(request.at("/linux/devices")).hasSize(1);
        assertThat(request.at("/linux/devices/0/path").asText()).isEqualTo("/dev/group/sub/zero");
    }

    @Test
    void refusesDevicesThatAreNone(@TempDir Path directory) throws IOException {
        device("/dev/no-such", "", "r");
        request.isInvalid("devices.host_path: /dev/no-such does not exist on this node");
        request.container.clearDevices();
        device(Files.writeString(directory.resolve("file"), "").toString(), "", "r");
        request.isInvalid("is no device, nor a directory with one");
        request.container.clearDevices();
        device("/dev/null", "", "rx");
        request.isInvalid("devices.permissions: \"rx\" of /dev/null is not made of r, w and m");
        request.container.clearDevices();
        device("null", "", "r");
        request.isInvalid("devices.host_path: \"null\" is not an absolute path");
    }

    @Test
    void privilegedHasTheHostsDevicesButNotItsTerminals() throws OciException {
        request.privileged();
        String devices = request.at("/linux/devices").toString();
        assertThat(devices).contains("\"/dev/null\"").doesNotContain("/dev/pts/", "\"/dev/console\"");
    }

    private void device(String hostPath, String containerPath, String permissions) {
        request.container.addDevices(Device.newBuilder().setHostPath(hostPath).setContainerPath(containerPath)
                .setPermissions(permissions));
    }
}
