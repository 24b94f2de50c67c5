package io.berth.e2e.node;

import io.berth.admin.v1.AdminServiceGrpc;
import io.berth.admin.v1.AdminServiceGrpc.AdminServiceBlockingStub;
import io.berth.admin.v1.DescribeImagesRequest;
import io.berth.admin.v1.ImageDescription;
import io.berth.admin.v1.ReportDiskRequest;
import io.berth.admin.v1.ReportDiskResponse;
import io.berth.admin.v1.VerifyImagesRequest;
import io.berth.e2e.cri.Cri;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/** Compares what an image store's directory has with what its daemon knows. */
public record StoreAudit(Path store, Path socket) {
    public static StoreAudit of(Path store, Path socket) {
        return new StoreAudit(store, socket);
    }

    /**
     * Directories without a row, rows without a directory, and snapshots that belong to none of {@code containers}.
     */
    public List<String> withoutOwner(Set<String> containers) throws IOException {
        var found = new ArrayList<String>();
        try (Cri cri = Cri.connect(socket)) {
            AdminServiceBlockingStub admin = AdminServiceGrpc.newBlockingStub(cri.channel());
            ReportDiskResponse disk = admin.reportDisk(ReportDiskRequest.getDefaultInstance());
            compare(found, "layers", names("layers").size(), disk.getLayers().getCount());
            compare(found, "records", names("records").size(), disk.getLayers().getCount());
            compare(found, "snapshots", names("snapshots").size(), disk.getWritable().getCount());
            names("ingest").forEach(name -> found.add("ingest/" + name));
            if (disk.getWritable().getCount() > containers.size()) {
                found.add(
                        disk.getWritable().getCount() + " snapshots of " + containers.size() + " containers");
            }
            for (ImageDescription image : admin
                    .describeImages(DescribeImagesRequest.newBuilder().setVerbose(true).build())
                    .getImagesList()) {
                image.getContainersList().stream().filter(id -> !containers.contains(id))
                        .forEach(id -> found.add("snapshot of container " + id + ", which is not there"));
            }
        }
        return found;
    }

    /** Every difference that a verification of all images finds. */
    public List<String> notClean() {
        var lines = new ArrayList<String>();
        try (Cri cri = Cri.connect(socket)) {
            AdminServiceGrpc.newBlockingStub(cri.channel())
                    .verifyImages(VerifyImagesRequest.getDefaultInstance()).forEachRemaining(message -> {
                        if (message.hasDifference()) {
                            lines.add(message.getDifference().getDiffId() + " "
                                    + message.getDifference().getLine());
                        }
                        if (message.hasImage() && !message.getImage().getClean()) {
                            lines.add(message.getImage().getImage().getRepoTagsList() + " is not clean");
                        }
                    });
        }
        return lines;
    }

    private static void compare(List<String> found, String what, long directories, long rows) {
        if (directories != rows) {
            found.add(what + ": " + directories + " on disk, " + rows + " known");
        }
    }

    private Set<String> names(String directory) throws IOException {
        try (Stream<Path> children = Files.list(store.resolve(directory))) {
            var names = new TreeSet<String>();
            children.forEach(child -> names.add(child.getFileName().toString()));
            return names;
        }
    }
}
