package io.berth.runtime.cli;

import io.berth.admin.v1.AdminServiceGrpc;
import io.berth.admin.v1.ImportImageProgress;
import io.berth.admin.v1.ImportImageRequest;
import io.berth.cri.v1.Image;
import io.berth.cri.v1.ImageServiceGrpc;
import io.berth.cri.v1.ListImagesRequest;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The images of the daemon that runs. */
record DaemonImages(DaemonClient client) implements ImageAccess {
    private static final long LIST_SECONDS = 30;

    @Override
    public List<ImageRow> importFrom(Path path) throws IOException {
        try {
            Iterator<ImportImageProgress> progress = AdminServiceGrpc.newBlockingStub(client.channel())
                    .importImage(ImportImageRequest.newBuilder().setPath(path.toString()).build());
            List<ImageRow> rows = new ArrayList<>();
            while (progress.hasNext()) {
                progress.next().getDone().getImagesList().forEach(
                        image -> rows.add(
                                new ImageRow(image.getId(), image.getRepoTagsList(), List.of(), 0, false)));
            }
            return rows;
        } catch (StatusRuntimeException e) {
            throw inWords(e);
        }
    }

    @Override
    public List<ImageRow> list() throws IOException {
        try {
            return ImageServiceGrpc.newBlockingStub(client.channel())
                    .withDeadlineAfter(LIST_SECONDS, TimeUnit.SECONDS)
                    .listImages(ListImagesRequest.getDefaultInstance()).getImagesList().stream()
                    .map(DaemonImages::row).toList();
        } catch (StatusRuntimeException e) {
            throw inWords(e);
        }
    }

    private static ImageRow row(Image image) {
        return new ImageRow(image.getId(), image.getRepoTagsList(), image.getRepoDigestsList(),
                image.getSize(),
                image.getPinned());
    }

    private static IOException inWords(StatusRuntimeException e) {
        Status status = e.getStatus();
        String text = status.getDescription();
        return new IOException(text == null ? "the daemon answered " + status.getCode() : text, e);
    }

    @Override
    public void close() {
        client.close();
    }
}
