package io.berth.runtime.oci;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.IDMapping;
import io.berth.cri.v1.Mount;
import io.berth.cri.v1.MountPropagation;
import io.berth.linux.MountInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MountSpecTest {
    private SpecRequest request;
    private Path volume;

    @BeforeEach
    void prepare(@TempDir Path rootfs, @TempDir Path host) throws IOException {
        request = new SpecRequest(rootfs);
        volume = Files.createDirectory(host.toRealPath().resolve("volume"));
    }

    @Test
    void hasWhatEveryContainerHas() throws OciException {
        assertThat(destinations()).containsExactly("/proc", "/dev", "/dev/pts", "/dev/mqueue", "/dev/shm",
                "/sys",
                "/sys/fs/cgroup");
        assertThat(request.mount("/sys/fs/cgroup").toString()).contains("\"ro\"");
    }

    @Test
    void mountsParentsBeforeWhatLiesInThem() throws OciException {
        mount("/a/b/c");
        mount("/a");
        mount("/a/b");
        assertThat(destinations()).endsWith("/a", "/a/b", "/a/b/c");
    }

    @Test
    void aRequestedMountTakesTheDefaultsPlace() throws OciException {
        request.files.put("hosts", Path.of("/run/pod/hosts"));
        request.files.put("resolv.conf", Path.of("/run/pod/resolv.conf"));
        mount("/etc/hosts");
        mount("/dev/");
        assertThat(request.mount("/etc/hosts").path("source").asText()).isEqualTo(volume.toString());
        assertThat(destinations()).containsExactly("/proc", "/sys", "/sys/fs/cgroup", "/dev",
                "/etc/resolv.conf",
                "/etc/hosts");
    }

    @Test
    void theSandboxsFilesAreAsReadOnlyAsTheRoot() throws OciException {
        request.files.put("hosts", Path.of("/run/pod/hosts"));
        assertThat(options("/etc/hosts")).contains("rw");
        request.security().setReadonlyRootfs(true);
        assertThat(options("/etc/hosts")).contains("ro");
    }

    @Test
    void bindsWhatALinkLeadsTo() throws IOException {
        Path link = Files.createSymbolicLink(volume.resolveSibling("link"), volume);
        mount("/data").setHostPath(link.toString()).setReadonly(true);
        assertThat(request.mount("/data").path("source").asText()).isEqualTo(volume.toString());
        assertThat(options("/data")).containsExactly("rbind", "rprivate", "ro");
    }

    @Test
    void namesAMissingSource() {
        mount("/data").setHostPath("/no/such/directory");
        request.isInvalid(
                "mounts.host_path: mount at \"/data\": /no/such/directory does not exist on this node");
        Mount.Builder mount = request.container.getMountsBuilder(0).clearHostPath();
        request.isInvalid("mount at \"/data\": is empty and no image is set");
        mount.setHostPath("relative");
        request.isInvalid("mount at \"/data\": \"relative\" is not an absolute path");
    }

    @Test
    void refusesTargetsThatCannotBe() {
        mount("data");
        request.isInvalid("mounts.container_path: mount at \"data\": is not an absolute path");
        request.container.getMountsBuilder(0).setContainerPath("/x/..");
        request.isInvalid("would cover the container's root");
    }

    @Test
    void makesMountsRecursivelyReadOnly() throws OciException {
        Mount.Builder mount = mount("/data").setReadonly(true).setRecursiveReadOnly(true);
        assertThat(options("/data")).contains("rro");
        mount.setReadonly(false);
        request.isInvalid("mounts.recursive_read_only: mount at \"/data\": needs readonly");
        mount.setReadonly(true).setPropagation(MountPropagation.PROPAGATION_HOST_TO_CONTAINER);
        request.isInvalid("mounts.recursive_read_only: mount at \"/data\": needs PROPAGATION_PRIVATE");
        mount.setPropagation(MountPropagation.PROPAGATION_PRIVATE);
        request.features = HandlerFeatures.NONE;
        request.isUnsupported("mounts.recursive_read_only: this runtime handler or kernel cannot do it");
    }

    @Test
    void passesFlagsOfABindMountAndRefusesOthers() throws OciException {
        mount("/data").addMountOptions("noexec").addMountOptions("nosuid");
        assertThat(options("/data")).endsWith("noexec", "nosuid");
        request.container.getMountsBuilder(0).addMountOptions("size=5m");
        request.isInvalid(
                "mounts.mount_options: mount at \"/data\": \"size=5m\" cannot be given to a bind mount");
    }

    @Test
    void mapsIdsOfAMount() throws OciException {
        mount("/data").addUidMappings(IDMapping.newBuilder().setHostId(-1).setLength(10));
        request.isInvalid("mounts.uidMappings: mount at \"/data\": and gidMappings need each other");
        request.container.getMountsBuilder(0)
                .addGidMappings(IDMapping.newBuilder().setHostId(5).setLength(10));
        assertThat(request.mount("/data").at("/uidMappings/0/hostID").asLong()).isEqualTo(0xffff_ffffL);
        request.container.getMountsBuilder(0).getGidMappingsBuilder(0).setLength(0);
        request.isInvalid("mounts.gidMappings: mount at \"/data\": has a range of length 0");
    }

    @Test
    void mountsImagesReadOnlyWithTheMappingsThatTheyHaveAlready(@TempDir Path image) throws OciException {
        Mount.Builder mount = mount("/model").clearHostPath()
                .addUidMappings(IDMapping.newBuilder().setLength(10))
                .addGidMappings(IDMapping.newBuilder().setLength(10));
        mount.getImageBuilder().setImage("registry/model:1");
        request.imageVolumes.put(mount.build(), image);
        assertThat(options("/model")).contains("ro");
        assertThat(request.mount("/model").path("source").asText()).isEqualTo(image.toString());
        assertThat(request.mount("/model").has("uidMappings")).isFalse();
    }

    @Test
    void mountsTheVolumesOfTheImageWritable() throws OciException {
        request.anonymousVolumes.put(Path.of("/data/db"), volume);
        mount("/data");
        assertThat(destinations().indexOf("/data/db")).isGreaterThan(destinations().indexOf("/data"));
        assertThat(options("/data/db")).contains("rw");
    }

    @Test
    void seesHowEventsTravelThroughTheHostsMounts() throws OciException {
        List<MountInfo> mounts = MountInfo.parse(List.of("1 0 8:1 / / rw - ext4 /dev/sda rw",
                "2 1 0:5 / /data rw shared:7 master:3 - tmpfs t rw",
                "3 1 0:5 / /with\\040space rw master:3 - tmpfs t rw",
                "4 1 0:6 / /data/private rw - tmpfs t rw"));
        assertThat(HostMount.holding(Path.of("/data/x"), mounts))
                .isEqualTo(new HostMount(Path.of("/data"), true, true));
        assertThat(HostMount.holding(Path.of("/with space/x"), mounts))
                .isEqualTo(new HostMount(Path.of("/with space"), false, true));
        assertThat(HostMount.holding(Path.of("/data/private/x"), mounts).shared()).isFalse();
        assertThat(HostMount.holding(Path.of("/database"), mounts).mountPoint()).isEqualTo(Path.of("/"));
    }

    private Mount.Builder mount(String containerPath) {
        return request.container.addMountsBuilder().setContainerPath(containerPath)
                .setHostPath(volume.toString());
    }

    private List<String> options(String destination) throws OciException {
        List<String> options = new ArrayList<>();
        request.mount(destination).path("options").forEach(option -> options.add(option.asText()));
        return options;
    }

    private List<String> destinations() throws OciException {
        List<String> result = new ArrayList<>();
        request.at("/mounts").forEach(mount -> result.add(mount.path("destination").asText()));
        return result;
    }
}
