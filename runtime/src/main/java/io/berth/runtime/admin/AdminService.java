package io.berth.runtime.admin;

import io.berth.admin.v1.AdminServiceGrpc;
import io.berth.admin.v1.ImportDone;
import io.berth.admin.v1.ImportImageProgress;
import io.berth.admin.v1.ImportImageRequest;
import io.berth.admin.v1.ImportStarted;
import io.berth.admin.v1.ImportedImage;
import io.berth.imagestore.Image;
import io.berth.imagestore.ImageException;
import io.berth.imagestore.Images;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What Berth's command line asks of the daemon and the CRI does not have. */
public final class AdminService extends AdminServiceGrpc.AdminServiceImplBase {
    private static final Logger log = LoggerFactory.getLogger(AdminService.class);

    private final Images images;

    public AdminService(Images images) {
        this.images = images;
    }

    @Override
    public void importImage(ImportImageRequest request, StreamObserver<ImportImageProgress> observer) {
        try {
            Path path = pathOf(request);
            long bytes = Files.isDirectory(path) ? 0 : Files.size(path);
            observer.onNext(ImportImageProgress.newBuilder()
                    .setStarted(ImportStarted.newBuilder().setTotalBytes(bytes)).build());
            ImportDone.Builder done = ImportDone.newBuilder();
            for (Image image : images.importFrom(path)) {
                log.atInfo().addKeyValue("image", image.id()).addKeyValue("tags", image.repoTags())
                        .addKeyValue("path", path).log("imported");
                done.addImages(ImportedImage.newBuilder().setId(image.id()).addAllRepoTags(image.repoTags()));
            }
            observer.onNext(ImportImageProgress.newBuilder().setDone(done).build());
            observer.onCompleted();
        } catch (ImportRefused e) {
            observer.onError(e.status.asRuntimeException());
        } catch (IOException e) {
            fail(request, observer, e);
        }
    }

    private static void fail(ImportImageRequest request, StreamObserver<ImportImageProgress> observer,
            IOException failure) {
        Status status = statusOf(failure).withDescription(failure.getMessage());
        if (status.getCode() == Status.Code.INTERNAL) {
            log.atError().addKeyValue("path", request.getPath()).setCause(failure).log("import failed");
        } else {
            log.atWarn().addKeyValue("path", request.getPath()).addKeyValue("reason", failure.getMessage())
                    .log("import failed");
        }
        observer.onError(status.asRuntimeException());
    }

    private static Path pathOf(ImportImageRequest request) throws ImportRefused {
        Path path;
        try {
            path = Path.of(request.getPath());
        } catch (InvalidPathException e) {
            throw new ImportRefused(Status.INVALID_ARGUMENT, "path: " + e.getMessage());
        }
        if (!path.isAbsolute()) {
            throw new ImportRefused(Status.INVALID_ARGUMENT,
                    "path must be absolute, the daemon has a working directory of its own; it is \"" + path
                            + "\"");
        }
        if (!Files.exists(path)) {
            throw new ImportRefused(Status.NOT_FOUND,
                    "the daemon finds no " + path + "; it must be on this node and outside private mounts");
        }
        return path;
    }

    private static Status statusOf(IOException failure) {
        return failure instanceof ImageException e ? switch (e.kind()) {
            case INVALID, CORRUPT, UNSUPPORTED -> Status.INVALID_ARGUMENT;
            case NOT_FOUND -> Status.NOT_FOUND;
            case NO_SPACE -> Status.RESOURCE_EXHAUSTED;
            case CANCELLED -> Status.CANCELLED;
            case FORBIDDEN -> Status.PERMISSION_DENIED;
            default -> Status.INTERNAL;
        } : Status.INTERNAL;
    }

    /** A request that is wrong before any work. */
    private static final class ImportRefused extends Exception {
        private static final long serialVersionUID = 1;

        private final transient Status status;

        ImportRefused(Status status, String message) {
            super(message);
            this.status = status.withDescription(message);
        }
    }
}
