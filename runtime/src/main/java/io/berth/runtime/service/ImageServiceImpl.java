package io.berth.runtime.service;

import io.berth.cri.v1.AuthConfig;
import io.berth.cri.v1.FilesystemUsage;
import io.berth.cri.v1.ImageFsInfoRequest;
import io.berth.cri.v1.ImageFsInfoResponse;
import io.berth.cri.v1.ImageServiceGrpc;
import io.berth.cri.v1.ImageSpec;
import io.berth.cri.v1.ImageStatusRequest;
import io.berth.cri.v1.ImageStatusResponse;
import io.berth.cri.v1.ListImagesRequest;
import io.berth.cri.v1.ListImagesResponse;
import io.berth.cri.v1.PullImageRequest;
import io.berth.cri.v1.PullImageResponse;
import io.berth.cri.v1.RemoveImageRequest;
import io.berth.cri.v1.RemoveImageResponse;
import io.berth.cri.v1.StreamImagesRequest;
import io.berth.cri.v1.StreamImagesResponse;
import io.berth.imagestore.Image;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.Images;
import io.berth.imagestore.RegistryAuth;
import io.berth.runtime.stats.UsageMessages;
import io.berth.runtime.lifecycle.LifecycleException;
import io.berth.runtime.lifecycle.Times;
import io.berth.runtime.sandbox.RuntimeHandlers;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.time.Clock;
import java.util.List;
import java.util.Optional;

/** CRI {@code ImageService}. An rpc that is not overridden here answers UNIMPLEMENTED with its own name. */
final class ImageServiceImpl extends ImageServiceGrpc.ImageServiceImplBase {
    private final Images images;
    private final RuntimeHandlers handlers;
    private final Clock clock;

    ImageServiceImpl(Images images, RuntimeHandlers handlers, Clock clock) {
        this.images = images;
        this.handlers = handlers;
        this.clock = clock;
    }

    @Override
    public void listImages(ListImagesRequest request, StreamObserver<ListImagesResponse> observer) {
        Calls.answer("ListImages", observer, () -> ListImagesResponse.newBuilder()
                .addAllImages(list(request.getFilter().getImage())).build());
    }

    @Override
    public void streamImages(StreamImagesRequest request, StreamObserver<StreamImagesResponse> observer) {
        Streams.list("StreamImages", observer, () -> list(request.getFilter().getImage()),
                items -> StreamImagesResponse.newBuilder().addAllImages(items).build());
    }

    @Override
    public void imageStatus(ImageStatusRequest request, StreamObserver<ImageStatusResponse> observer) {
        Calls.answer("ImageStatus", observer, () -> {
            Optional<Image> image = images.find(name(request.getImage()));
            ImageStatusResponse.Builder response = ImageStatusResponse.newBuilder();
            image.ifPresent(found -> response.setImage(ImageMessages.image(found)));
            if (image.isPresent() && request.getVerbose()) {
                response.putInfo("info", ImageMessages.info(image.get()));
            }
            return response.build();
        });
    }

    /**
     * Pulls. A caller that cancels stops the pull, but for layers that another call waits for. One whose deadline passes does
     * not: its retry joins the pull under way, or finds the image here.
     */
    @Override
    public void pullImage(PullImageRequest request, StreamObserver<PullImageResponse> observer) {
        Calls.answerUnlessCancelled("PullImage", observer, () -> {
            try {
                Image image = images.pull(name(request.getImage()), auth(request.getAuth()));
                return PullImageResponse.newBuilder().setImageRef(image.id()).build();
            } catch (ImageException e) {
                throw kubeletReadable(e);
            }
        });
    }

    @Override
    public void removeImage(RemoveImageRequest request, StreamObserver<RemoveImageResponse> observer) {
        Calls.answer("RemoveImage", observer, () -> {
            images.remove(name(request.getImage()));
            return RemoveImageResponse.getDefaultInstance();
        });
    }

    @Override
    public void imageFsInfo(ImageFsInfoRequest request, StreamObserver<ImageFsInfoResponse> observer) {
        Calls.answer("ImageFsInfo", observer, () -> {
            // Layers and writable layers are on one filesystem, which kubelet learns from the equal mount points.
            FilesystemUsage usage = UsageMessages.filesystem(images.usage(),
                    Times.nanos(clock.instant()),
                    images.root().toString());
            return ImageFsInfoResponse.newBuilder().addImageFilesystems(usage).addContainerFilesystems(usage)
                    .build();
        });
    }

    private List<io.berth.cri.v1.Image> list(ImageSpec filter) throws LifecycleException {
        handlers.resolve("filter.image.runtime_handler", filter.getRuntimeHandler());
        refuse("annotations", filter.getAnnotationsCount() > 0);
        refuse("user_specified_image", !filter.getUserSpecifiedImage().isEmpty());
        refuse("image_ref", !filter.getImageRef().isEmpty());
        List<Image> found = filter.getImage().isEmpty()
                ? images.list()
                : images.find(filter.getImage()).map(List::of).orElse(List.of());
        return found.stream().map(ImageMessages::image).toList();
    }

    private static void refuse(String field, boolean set) throws LifecycleException {
        if (set) {
            throw new LifecycleException(LifecycleException.Kind.INVALID, "filter.image." + field
                    + " is set, but images are found by filter.image.image alone");
        }
    }

    /** The image's name. Every runtime handler has the same images, so one that is configured changes nothing. */
    private String name(ImageSpec spec) throws LifecycleException {
        handlers.resolve("image.runtime_handler", spec.getRuntimeHandler());
        if (spec.getImage().isEmpty()) {
            throw new LifecycleException(LifecycleException.Kind.INVALID, "image.image is empty");
        }
        return spec.getImage();
    }

    private static RegistryAuth auth(AuthConfig auth) {
        return new RegistryAuth(auth.getUsername(), auth.getPassword(), auth.getAuth(),
                auth.getServerAddress(),
                auth.getIdentityToken(), auth.getRegistryToken());
    }

    /**
     * kubelet knows two failures by the first word of the text, and sees it there only where the code is UNKNOWN: before
     * any other it puts the code's name.
     */
    private static Exception kubeletReadable(ImageException e) {
        String word = switch (e.kind()) {
            case UNAVAILABLE -> "RegistryUnavailable";
            case SIGNATURE -> "SignatureValidationFailed";
            default -> "";
        };
        return word.isEmpty()
                ? e
                : Status.UNKNOWN.withDescription(word + ": " + e.getMessage()).withCause(e).asException();
    }
}
