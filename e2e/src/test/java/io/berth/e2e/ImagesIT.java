package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.FilesystemUsage;
import io.berth.cri.v1.Image;
import io.berth.cri.v1.ImageFilter;
import io.berth.cri.v1.ImageFsInfoRequest;
import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.ImageStatusRequest;
import io.berth.cri.v1.ListImagesRequest;
import io.berth.cri.v1.PullImageRequest;
import io.berth.cri.v1.RemoveImageRequest;
import io.berth.e2e.cri.Await;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.image.Compression;
import io.berth.e2e.image.Layer;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.Node;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.testcontainers.junit.jupiter.Container;
import org.testcontainers.junit.jupiter.Testcontainers;

/** Pulling and keeping images, from a registry that anybody may read. */
@Testcontainers
final class ImagesIT {
    @Container
    static final Node NODE = new Node();

    @ParameterizedTest
    @EnumSource(TestImage.Format.class)
    void anImageIsPulledByTagAndKnownByItsConfigsDigest(TestImage.Format format) {
        TestImage image = TestImage.builder().format(format).layer(Busybox.layer()).env("FORMAT=" + format)
                .build();
        String reference = NODE.registry().push("images/" + lower(format.name()), "v1", image);

        assertThat(pull(reference)).isEqualTo(image.id());
        Image status = status(reference);
        assertThat(status.getId()).isEqualTo(image.id());
        assertThat(status.getRepoTagsList()).containsExactly(reference);
        assertThat(status.getRepoDigestsList()).containsExactly(byDigest(reference, image));
        assertThat(status.getSize()).isPositive();
        assertThat(printed(reference, "echo $FORMAT")).isEqualTo(format.name());
    }

    @Test
    void anImageIsPulledByDigest() {
        TestImage image = TestImage.builder().layer(Busybox.layer()).env("BY=digest").build();
        String reference = byDigest(NODE.registry().push("images/digest", "v1", image), image);

        assertThat(pull(reference)).isEqualTo(image.id());
        assertThat(status(reference).getRepoTagsList()).isEmpty();
        assertThat(status(reference).getRepoDigestsList()).containsExactly(reference);
        assertThat(printed(reference, "echo $BY")).isEqualTo("digest");
    }

    @ParameterizedTest
    @EnumSource(Compression.class)
    void layersAreUnpackedHoweverTheyArePacked(Compression compression) {
        Layer layer = Layer.builder().directory("packed", 0755).file("packed/how", 0644, compression.name())
                .build(compression);
        String reference = NODE.pull("packed-" + lower(compression.name()),
                TestImage.builder().layer(Busybox.layer()).layer(layer).build());

        assertThat(printed(reference, "cat /packed/how")).isEqualTo(compression.name());
    }

    @Test
    void anIndexLeadsToTheImageForThisPlatform() {
        String here = TestImage.builder().build().architecture();
        TestImage foreign = TestImage.builder().architecture("s390x").layer(Busybox.layer()).env("FOR=s390x")
                .build();
        TestImage ours = TestImage.builder().architecture(here).layer(Busybox.layer()).env("FOR=" + here)
                .build();
        String reference = NODE.registry().pushIndex("images/index", "v1", List.of(foreign, ours));

        assertThat(pull(reference)).isEqualTo(ours.id());
        assertThat(printed(reference, "echo $FOR")).isEqualTo(here);
        assertThat(status(reference).getRepoDigestsList()).containsExactly("%s/images/index@%s".formatted(
                NODE.registry().authority(), TestImage.index(List.of(foreign, ours)).digest()));
    }

    @Test
    void anIndexWithoutThisPlatformIsRefusedWithBothNamed() {
        TestImage foreign = TestImage.builder().architecture("s390x").layer(Busybox.layer()).build();
        String reference = NODE.registry().pushIndex("images/foreign", "v1", List.of(foreign));

        assertThatThrownBy(() -> pull(reference)).hasMessageContaining("linux/")
                .hasMessageContaining("images/foreign");
    }

    @Test
    void twoNamesOfOneImageAreOneImage() {
        TestImage image = TestImage.builder().layer(Busybox.layer()).env("TWO=names").build();
        String one = NODE.registry().push("images/one", "v1", image);
        String other = NODE.registry().push("images/other", "v2", image);
        pull(one);
        pull(other);

        assertThat(status(one)).isEqualTo(status(other));
        assertThat(status(one).getRepoTagsList()).containsExactlyInAnyOrder(one, other);
        assertThat(status(image.id())).isEqualTo(status(one));
        assertThat(images()).filteredOn(each -> each.getId().equals(image.id())).hasSize(1);
    }

    @Test
    void aMovedTagNamesTheNewImageOnly() {
        TestImage before = TestImage.builder().layer(Busybox.layer()).env("TAG=before").build();
        TestImage after = TestImage.builder().layer(Busybox.layer()).env("TAG=after").build();
        String reference = NODE.registry().push("images/moved", "v1", before);
        pull(reference);
        NODE.registry().push("images/moved", "v1", after);
        pull(reference);

        assertThat(status(reference).getId()).isEqualTo(after.id());
        assertThat(status(before.id()).getRepoTagsList()).isEmpty();
        assertThat(printed(reference, "echo $TAG")).isEqualTo("after");
    }

    @Test
    void theUserOfTheImageIsReported() {
        String byNumber = NODE.pull("user-number", TestImage.builder().layer(Busybox.layer())
                .config(config -> config.put("User", "1234")).build());
        String byName = NODE.pull("user-name", TestImage.builder().layer(Busybox.layer())
                .config(config -> config.put("User", "app")).build());

        assertThat(status(byNumber).getUid().getValue()).isEqualTo(1234);
        assertThat(status(byName).getUsername()).isEqualTo("app");
    }

    @Test
    void aRemovedImageIsGoneUnderAllItsNamesAndCanComeBack() {
        TestImage image = TestImage.builder().layer(Busybox.layer()).env("REMOVED=yes").build();
        String one = NODE.registry().push("images/removed", "v1", image);
        String other = NODE.registry().push("images/removed", "v2", image);
        pull(one);
        pull(other);

        remove(image.id());

        assertThat(isPresent(one)).isFalse();
        assertThat(isPresent(other)).isFalse();
        assertThat(images()).noneMatch(each -> each.getId().equals(image.id()));
        pull(one);
        assertThat(printed(one, "echo $REMOVED")).isEqualTo("yes");
    }

    @Test
    void removingAnImageThatIsNotThereSucceeds() {
        remove("localhost:1/never/seen:v1");
        remove("sha256:" + "0".repeat(64));
    }

    @Test
    void layersOfARemovedImageStayWithTheOnesThatShareThem() {
        Layer shared = Layer.builder().file("shared", 0644, "shared").build(Compression.GZIP);
        TestImage removed = TestImage.builder().layer(Busybox.layer()).layer(shared).env("A=1").build();
        TestImage kept = TestImage.builder().layer(Busybox.layer()).layer(shared).env("A=2").build();
        String keptName = NODE.pull("shared-kept", kept);
        NODE.pull("shared-removed", removed);

        remove(removed.id());

        assertThat(printed(keptName, "cat /shared")).isEqualTo("shared");
    }

    @Test
    void theListCanBeFilteredByName() {
        assertThat(NODE.cri().images().listImages(ListImagesRequest.newBuilder().setFilter(
                ImageFilter.newBuilder().setImage(ImageSpec.newBuilder().setImage(NODE.busybox()))).build())
                .getImagesList())
                .hasSize(1).allSatisfy(image -> assertThat(image.getRepoTagsList()).contains(NODE.busybox()));
    }

    @Test
    void theSpaceThatImagesUseGrowsWithAnImageAndShrinksAfterIt() {
        var random = new byte[4 << 20];
        new Random(1).nextBytes(random);
        TestImage image = TestImage.builder()
                .layer(Layer.builder().file("random", 0644, random).build(Compression.NONE)).build();
        long before = usedBytes();
        String reference = NODE.pull("space", image);

        assertThat(imageFs().getFsId().getMountpoint()).isNotEmpty();
        Await.until("the image is counted", Duration.ofSeconds(20), ImagesIT::usedBytes,
                used -> used >= before + random.length);
        remove(reference);
        Await.until("the image is not counted", Duration.ofSeconds(20), ImagesIT::usedBytes,
                used -> used < before + random.length);
    }

    @Test
    void theSameImageIsPulledByManyAtOnce() throws Exception {
        TestImage image = TestImage.builder().layer(Busybox.layer())
                .layer(Layer.builder().file("many", 0644, "many").build(Compression.ZSTD)).build();
        String reference = NODE.registry().push("images/many", "v1", image);
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<String>> pulls = IntStream.range(0, 10)
                    .<Callable<String>>mapToObj(i -> () -> pull(reference))
                    .toList();

            for (var answer : threads.invokeAll(pulls)) {
                assertThat(answer.get()).isEqualTo(image.id());
            }
        }
        assertThat(printed(reference, "cat /many")).isEqualTo("many");
    }

    static String pull(String reference) {
        return NODE.cri().images().pullImage(PullImageRequest.newBuilder()
                .setImage(ImageSpec.newBuilder().setImage(reference)).build()).getImageRef();
    }

    private static Image status(String reference) {
        var response = NODE.cri().images().imageStatus(ImageStatusRequest.newBuilder()
                .setImage(ImageSpec.newBuilder().setImage(reference)).build());
        assertThat(response.hasImage()).as("%s is there", reference).isTrue();
        return response.getImage();
    }

    private static boolean isPresent(String reference) {
        return NODE.cri().images().imageStatus(ImageStatusRequest.newBuilder()
                .setImage(ImageSpec.newBuilder().setImage(reference)).build()).hasImage();
    }

    private static List<Image> images() {
        return NODE.cri().images().listImages(ListImagesRequest.getDefaultInstance()).getImagesList();
    }

    private static void remove(String reference) {
        NODE.cri().images().removeImage(RemoveImageRequest.newBuilder()
                .setImage(ImageSpec.newBuilder().setImage(reference)).build());
    }

    private static FilesystemUsage imageFs() {
        return NODE.cri().images().imageFsInfo(ImageFsInfoRequest.getDefaultInstance())
                .getImageFilesystems(0);
    }

    private static long usedBytes() {
        return imageFs().getUsedBytes().getValue();
    }

    private static String byDigest(String reference, TestImage image) {
        return reference.substring(0, reference.lastIndexOf(':')) + "@" + image.manifest().digest();
    }

    /** What a container of {@code image} prints. */
    private static String printed(String image, String script) {
        try (PodHandle pod = PodHandle.run(NODE.cri(), Configs.hostNetworkPod("image", NODE.logs()), "")) {
            return pod.start(Configs.container("main", image, "sh", "-c", script)).output();
        }
    }

    private static String lower(String name) {
        return name.toLowerCase(Locale.ROOT);
    }
}
