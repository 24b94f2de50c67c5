package io.berth.runtime.admin;

import io.berth.admin.v1.AdminServiceGrpc;
import io.berth.admin.v1.DescribeImagesRequest;
import io.berth.admin.v1.DescribeImagesResponse;
import io.berth.admin.v1.ExportDone;
import io.berth.admin.v1.ExportImagesProgress;
import io.berth.admin.v1.ExportImagesRequest;
import io.berth.admin.v1.ExportStarted;
import io.berth.admin.v1.ImportDone;
import io.berth.admin.v1.ImportImageProgress;
import io.berth.admin.v1.ImportImageRequest;
import io.berth.admin.v1.ImportStarted;
import io.berth.admin.v1.ImportedImage;
import io.berth.admin.v1.PruneImagesRequest;
import io.berth.admin.v1.PruneImagesResponse;
import io.berth.admin.v1.PullImageProgress;
import io.berth.admin.v1.PullImageRequest;
import io.berth.admin.v1.RemoveImageRequest;
import io.berth.admin.v1.RemoveImageResponse;
import io.berth.admin.v1.ReportDiskRequest;
import io.berth.admin.v1.ReportDiskResponse;
import io.berth.admin.v1.TagImageRequest;
import io.berth.admin.v1.TagImageResponse;
import io.berth.admin.v1.UntagImageRequest;
import io.berth.admin.v1.UntagImageResponse;
import io.berth.admin.v1.VerifyDifference;
import io.berth.admin.v1.VerifyImagesProgress;
import io.berth.admin.v1.VerifyImagesRequest;
import io.berth.admin.v1.VerifyLayer;
import io.berth.imagestore.Image;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.ImageTools;
import io.berth.imagestore.ImageTools.ExportFormat;
import io.berth.imagestore.Images;
import io.berth.imagestore.Verification;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What Berth's command line asks of the daemon and the CRI does not have. */
public final class AdminService extends AdminServiceGrpc.AdminServiceImplBase {
    private static final Logger log = LoggerFactory.getLogger(AdminService.class);
    private static final Comparator<Image> BY_NAME = Comparator
            .comparing((Image image) -> image.repoTags().toString()).thenComparing(Image::id);

    private final Images images;
    private final ImageTools tools;

    public AdminService(Images images, ImageTools tools) {
        this.images = images;
        this.tools = tools;
    }

    @Override
    public void importImage(ImportImageRequest request, StreamObserver<ImportImageProgress> observer) {
        AdminCall.run("ImportImage", observer, call -> {
            Path path = absolute(request.getPath());
            if (!Files.exists(path)) {
                throw new AdminRefusal(Status.NOT_FOUND, "the daemon finds no " + path
                        + "; it must be on this node and outside private mounts");
            }
            long bytes = Files.isDirectory(path) ? 0 : Files.size(path);
            call.send(ImportImageProgress.newBuilder()
                    .setStarted(ImportStarted.newBuilder().setTotalBytes(bytes)).build());
            ImportDone.Builder done = ImportDone.newBuilder();
            for (Image image : images.importFrom(path)) {
                log.atInfo().addKeyValue("image", image.id()).addKeyValue("tags", image.repoTags())
                        .addKeyValue("path", path).log("imported");
                done.addImages(
                        ImportedImage.newBuilder().setId(image.id()).addAllRepoTags(image.repoTags()));
            }
            call.send(ImportImageProgress.newBuilder().setDone(done).build());
        });
    }

    @Override
    public void pullImage(PullImageRequest request, StreamObserver<PullImageProgress> observer) {
        AdminCall.run("PullImage", observer, call -> {
            Image image;
            try (var reports = new PullReports(layers -> call.send(
                    PullImageProgress.newBuilder().setLayers(AdminMessages.layers(layers)).build()))) {
                image = tools.pull(request.getReference(), AdminMessages.auth(request.getCredentials()),
                        reports);
            }
            call.send(PullImageProgress.newBuilder()
                    .setDone(AdminMessages.description(tools.use(image), false)).build());
        });
    }

    @Override
    public void describeImages(DescribeImagesRequest request,
            StreamObserver<DescribeImagesResponse> observer) {
        AdminCall.run("DescribeImages", observer, call -> {
            DescribeImagesResponse.Builder response = DescribeImagesResponse.newBuilder();
            for (Image image : named(request.getReferencesList())) {
                response.addImages(AdminMessages.description(tools.use(image), request.getVerbose()));
            }
            call.send(response.build());
        });
    }

    @Override
    public void tagImage(TagImageRequest request, StreamObserver<TagImageResponse> observer) {
        AdminCall.run("TagImage", observer, call -> call.send(TagImageResponse.newBuilder()
                .setImage(AdminMessages.description(
                        tools.use(tools.tag(request.getReference(), request.getTag())), false))
                .build()));
    }

    @Override
    public void untagImage(UntagImageRequest request, StreamObserver<UntagImageResponse> observer) {
        AdminCall.run("UntagImage", observer, call -> call.send(UntagImageResponse.newBuilder()
                .setImage(AdminMessages.description(tools.use(tools.untag(request.getName())), false))
                .build()));
    }

    @Override
    public void removeImage(RemoveImageRequest request, StreamObserver<RemoveImageResponse> observer) {
        AdminCall.run("RemoveImage", observer, call -> {
            Image image = tools.require(request.getReference());
            if (image.pinned() && !request.getForce()) {
                throw new AdminRefusal(Status.FAILED_PRECONDITION, "image " + request.getReference()
                        + " is pinned by the configuration (registry.pinned_images); force its removal, or unpin it");
            }
            var description = AdminMessages.description(tools.use(image), false);
            images.remove(image.id());
            call.send(RemoveImageResponse.newBuilder().setImage(description).build());
        });
    }

    @Override
    public void exportImages(ExportImagesRequest request, StreamObserver<ExportImagesProgress> observer) {
        AdminCall.run("ExportImages", observer, call -> {
            Path path = absolute(request.getPath());
            if (request.getReferencesCount() == 0) {
                throw new AdminRefusal(Status.INVALID_ARGUMENT, "no image is named to be exported");
            }
            ExportStarted.Builder started = ExportStarted.newBuilder();
            for (Image image : named(request.getReferencesList())) {
                started.addImages(AdminMessages.description(tools.use(image), false));
            }
            call.send(ExportImagesProgress.newBuilder().setStarted(started).build());
            tools.exportTo(request.getReferencesList(), path, switch (request.getFormat()) {
                case OCI_LAYOUT -> ExportFormat.OCI_LAYOUT;
                case DOCKER_ARCHIVE -> ExportFormat.DOCKER_ARCHIVE;
                case OCI_ARCHIVE, UNRECOGNIZED -> ExportFormat.OCI_ARCHIVE;
            });
            long bytes = Files.isDirectory(path) ? 0 : Files.size(path);
            call.send(ExportImagesProgress.newBuilder().setDone(ExportDone.newBuilder().setBytes(bytes))
                    .build());
        });
    }

    @Override
    public void verifyImages(VerifyImagesRequest request, StreamObserver<VerifyImagesProgress> observer) {
        AdminCall.run("VerifyImages", observer, call -> {
            for (Image image : named(request.getReferencesList())) {
                Verification verification = tools.verify(image.id(), request.getRepair(),
                        AdminMessages.auth(request.getCredentials()), listener(call));
                call.send(VerifyImagesProgress.newBuilder()
                        .setImage(AdminMessages.verified(tools.use(image), verification)).build());
            }
        });
    }

    @Override
    public void pruneImages(PruneImagesRequest request, StreamObserver<PruneImagesResponse> observer) {
        AdminCall.run("PruneImages", observer, call -> {
            PruneImagesResponse.Builder response = PruneImagesResponse.newBuilder();
            for (Image image : tools.prune(request.getAll(), request.getDryRun())) {
                response.addImages(AdminMessages.description(tools.use(image), false));
            }
            call.send(response.build());
        });
    }

    @Override
    public void reportDisk(ReportDiskRequest request, StreamObserver<ReportDiskResponse> observer) {
        AdminCall.run("ReportDisk", observer, call -> call.send(AdminMessages.disk(tools.diskReport())));
    }

    private static Verification.Listener listener(AdminCall<VerifyImagesProgress> call) {
        return new Verification.Listener() {
            @Override
            public void layer(String imageId, String diffId) {
                call.send(VerifyImagesProgress.newBuilder()
                        .setLayer(VerifyLayer.newBuilder().setImageId(imageId).setDiffId(diffId)).build());
            }

            @Override
            public void difference(String diffId, String line) {
                call.send(VerifyImagesProgress.newBuilder()
                        .setDifference(VerifyDifference.newBuilder().setDiffId(diffId).setLine(line))
                        .build());
            }
        };
    }

    /** The images of these names; all where there are none. */
    private List<Image> named(List<String> references) throws ImageException {
        if (references.isEmpty()) {
            return images.list().stream().sorted(BY_NAME).toList();
        }
        List<Image> named = new ArrayList<>();
        for (String reference : references) {
            named.add(tools.require(reference));
        }
        return named;
    }

    private static Path absolute(String text) throws AdminRefusal {
        Path path;
        try {
            path = Path.of(text);
        } catch (InvalidPathException e) {
            throw new AdminRefusal(Status.INVALID_ARGUMENT, "path: " + e.getMessage());
        }
        if (!path.isAbsolute()) {
            throw new AdminRefusal(Status.INVALID_ARGUMENT,
                    "path must be absolute, the daemon has a working directory of its own; it is \"" + path
                            + "\"");
        }
        return path;
    }
}
