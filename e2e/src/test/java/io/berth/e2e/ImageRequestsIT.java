package io.berth.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.berth.cri.v1.*;
import io.berth.e2e.cri.Configs;
import io.berth.e2e.cri.ContainerHandle;
import io.berth.e2e.cri.PodHandle;
import io.berth.e2e.image.Busybox;
import io.berth.e2e.image.TestImage;
import io.berth.e2e.node.Node;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.testcontainers.junit.jupiter.Testcontainers;

/** The fields of requests to the image service, and that all of the CRI means the same image by the same name. */
@Testcontainers
final class ImageRequestsIT {
    @org.testcontainers.junit.jupiter.Container
    static final Node NODE = new Node();

    @Test
    void anImageWithoutATagIsTheLatest() {
        TestImage image = image("untagged");
        String latest = NODE.registry().push("requests/untagged", "latest", image);
        String untagged = latest.substring(0, latest.lastIndexOf(':'));

        assertThat(pull(untagged)).isEqualTo(image.id());
        assertThat(status(untagged).getRepoTagsList()).containsExactly(latest);
    }

    @Test
    void anImageIsKnownByItsTagItsDigestAndItsId() {
        TestImage image = image("names");
        String tag = NODE.registry().push("requests/names", "v1", image);
        pull(tag);
        String digest = tag.substring(0, tag.lastIndexOf(':')) + "@" + image.manifest().digest();

        assertThat(List.of(tag, digest, image.id(), image.id().substring("sha256:".length())))
                .allSatisfy(name -> assertThat(status(name).getId()).isEqualTo(image.id()));
    }

    @Test
    void allOfTheCriMeansTheSameImageByTheSameId() {
        TestImage image = image("same");
        String tag = NODE.registry().push("requests/same", "v1", image);
        String pulled = pull(tag);
        try (PodHandle pod = NODE.pod("same", "")) {
            ContainerHandle container = pod.create(Configs.container("main", tag, "true"));

            assertThat(pulled).isEqualTo(image.id());
            assertThat(images()).extracting(Image::getId).contains(pulled);
            assertThat(status(tag).getId()).isEqualTo(pulled);
            assertThat(container.status().getImageId()).isEqualTo(pulled);
            assertThat(container.status().getImageRef()).endsWith(image.manifest().digest());
            assertThat(NODE.cri().runtime().listContainers(ListContainersRequest.newBuilder().setFilter(
                    ContainerFilter.newBuilder().setId(container.id())).build()).getContainers(0)
                    .getImageId()).isEqualTo(pulled);
        }
    }

    @Test
    void anImageIsListedAsSoonAsItIsPulledAndNoLongerOnceItIsRemoved() {
        for (int i = 0; i < 5; i++) {
            TestImage image = image("at-once-" + i);
            String tag = NODE.registry().push("requests/at-once", "v" + i, image);
            pull(tag);
            assertThat(images()).extracting(Image::getId).contains(image.id());
            remove(tag);
            assertThat(images()).extracting(Image::getId).doesNotContain(image.id());
            assertThat(find(tag).hasImage()).isFalse();
        }
    }

    @Test
    void anImageMayBeRemovedByManyAtOnce() throws Exception {
        String tag = NODE.registry().push("requests/removed", "v1", image("removed"));
        pull(tag);
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<Boolean>> removals = IntStream.range(0, 10).<Callable<Boolean>>mapToObj(i -> () -> {
                remove(tag);
                return true;
            }).toList();
            for (var removal : threads.invokeAll(removals)) {
                assertThat(removal.get()).isTrue();
            }
        }
        assertThat(find(tag).hasImage()).isFalse();
    }

    @Test
    void aCallerThatGivesUpIsAnsweredAndItsNextTryGetsTheImage() {
        TestImage image = image("given-up");
        String tag = NODE.registry().push("requests/given-up", "v1", image);

        assertThatThrownBy(() -> NODE.cri().images().withDeadlineAfter(1, TimeUnit.MICROSECONDS)
                .pullImage(PullImageRequest.newBuilder().setImage(spec(tag)).build()))
                .isInstanceOfSatisfying(StatusRuntimeException.class, error -> assertThat(
                        error.getStatus().getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED));
        assertThat(pull(tag)).isEqualTo(image.id());
    }

    @Test
    void everyRuntimeHandlerHasTheSameImagesAndAnUnknownOneNone() {
        assertThat(find(spec(NODE.busybox()).toBuilder().setRuntimeHandler("crun").build()).hasImage())
                .isTrue();
        ImageSpec unknown = spec(NODE.busybox()).toBuilder().setRuntimeHandler("kata").build();

        assertRefused(() -> find(unknown), "image.runtime_handler");
        assertRefused(() -> NODE.cri().images().pullImage(PullImageRequest.newBuilder().setImage(unknown)
                .build()), "image.runtime_handler");
        assertRefused(() -> NODE.cri().images().removeImage(RemoveImageRequest.newBuilder().setImage(unknown)
                .build()), "image.runtime_handler");
    }

    @Test
    void anImageWithoutANameIsRefusedByField() {
        assertRefused(() -> find(ImageSpec.getDefaultInstance()), "image.image");
        assertRefused(() -> NODE.cri().images().pullImage(PullImageRequest.getDefaultInstance()),
                "image.image");
        assertRefused(() -> NODE.cri().images().removeImage(RemoveImageRequest.getDefaultInstance()),
                "image.image");
    }

    @Test
    void aFilterThatNoImageIsFoundByIsRefusedByField() {
        assertRefused(() -> list(ImageSpec.newBuilder().setImageRef("x")), "filter.image.image_ref");
        assertRefused(() -> list(ImageSpec.newBuilder().setUserSpecifiedImage("x")),
                "filter.image.user_specified_image");
        assertRefused(() -> list(ImageSpec.newBuilder().putAnnotations("a", "b")),
                "filter.image.annotations");
        assertThat(list(ImageSpec.newBuilder().setImage("localhost:1/none")).getImagesList()).isEmpty();
    }

    @Test
    void verboseStatusHasTheImagesConfigurationAndManifest() {
        ImageStatusRequest request = ImageStatusRequest.newBuilder().setImage(spec(NODE.busybox())).build();

        assertThat(NODE.cri().images().imageStatus(request).getInfoMap()).isEmpty();
        assertThat(NODE.cri().images().imageStatus(request.toBuilder().setVerbose(true).build())
                .getInfoOrThrow("info")).contains("chainID", "imageSpec", "manifest", "diffIDs", "rootfs");
    }

    private static void assertRefused(org.assertj.core.api.ThrowableAssert.ThrowingCallable call,
            String field) {
        assertThatThrownBy(call).isInstanceOfSatisfying(StatusRuntimeException.class, error -> {
            assertThat(error.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
            assertThat(error.getStatus().getDescription()).contains(field);
        });
    }

    private static TestImage image(String mark) {
        return TestImage.builder().layer(Busybox.layer()).env("MARK=" + mark).build();
    }

    private static ImageSpec spec(String name) {
        return ImageSpec.newBuilder().setImage(name).build();
    }

    private static String pull(String name) {
        return NODE.cri().images().pullImage(PullImageRequest.newBuilder().setImage(spec(name)).build())
                .getImageRef();
    }

    private static void remove(String name) {
        NODE.cri().images().removeImage(RemoveImageRequest.newBuilder().setImage(spec(name)).build());
    }

    private static ImageStatusResponse find(String name) {
        return find(spec(name));
    }

    private static ImageStatusResponse find(ImageSpec spec) {
        return NODE.cri().images().imageStatus(ImageStatusRequest.newBuilder().setImage(spec).build());
    }

    private static Image status(String name) {
        ImageStatusResponse found = find(name);
        assertThat(found.hasImage()).as("%s is there", name).isTrue();
        return found.getImage();
    }

    private static List<Image> images() {
        return NODE.cri().images().listImages(ListImagesRequest.getDefaultInstance()).getImagesList();
    }

    private static ListImagesResponse list(ImageSpec.Builder filter) {
        return NODE.cri().images().listImages(ListImagesRequest.newBuilder()
                .setFilter(ImageFilter.newBuilder().setImage(filter)).build());
    }
}
