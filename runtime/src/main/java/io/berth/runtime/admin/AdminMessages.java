package io.berth.runtime.admin;

import io.berth.admin.v1.Credentials;
import io.berth.admin.v1.DiskPart;
import io.berth.admin.v1.ImageDescription;
import io.berth.admin.v1.LayerDescription;
import io.berth.admin.v1.PullLayer;
import io.berth.admin.v1.PullLayers;
import io.berth.admin.v1.ReportDiskResponse;
import io.berth.admin.v1.VerifiedImage;
import io.berth.admin.v1.VerifiedLayer;
import io.berth.imagestore.Image;
import io.berth.imagestore.ImageTools.DiskReport;
import io.berth.imagestore.ImageTools.ImageUse;
import io.berth.imagestore.ImageTools.LayerProgress;
import io.berth.imagestore.ImageTools.LayerUse;
import io.berth.imagestore.ImageTools.Part;
import io.berth.imagestore.RegistryAuth;
import io.berth.imagestore.Verification;
import io.berth.imagestore.Verification.LayerResult;
import java.util.List;

/** What the image store says, as messages of the admin service. */
final class AdminMessages {
    private AdminMessages() {}

    static ImageDescription description(ImageUse use, boolean verbose) {
        Image image = use.image();
        ImageDescription.Builder message = ImageDescription.newBuilder().setId(image.id())
                .addAllRepoTags(image.repoTags()).addAllRepoDigests(image.repoDigests())
                .setSizeBytes(image.sizeBytes()).setPinned(image.pinned())
                .setPulledAt(image.pulledAt().toString()).setManifestDigest(image.manifestDigest())
                .addAllContainers(use.snapshots().stream().sorted().toList());
        if (verbose) {
            message.setManifestJson(image.manifestJson()).setConfigJson(image.configJson());
            use.layers().forEach(layer -> message.addLayers(description(layer)));
        }
        return message.build();
    }

    private static LayerDescription description(LayerUse layer) {
        return LayerDescription.newBuilder().setDiffId(layer.diffId()).setDiskBytes(layer.diskBytes())
                .setInodes(layer.inodes()).setRecorded(layer.recorded()).setImages(layer.images()).build();
    }

    static PullLayers layers(List<LayerProgress> layers) {
        PullLayers.Builder message = PullLayers.newBuilder();
        for (LayerProgress layer : layers) {
            message.addLayers(PullLayer.newBuilder().setDigest(layer.digest()).setSizeBytes(layer.sizeBytes())
                    .setReceivedBytes(layer.receivedBytes())
                    .setState(PullLayer.State.valueOf(layer.state().name())));
        }
        return message.build();
    }

    static VerifiedImage verified(ImageUse use, Verification verification) {
        VerifiedImage.Builder message = VerifiedImage.newBuilder().setImage(description(use, false))
                .setClean(verification.isClean());
        for (LayerResult layer : verification.layers()) {
            message.addLayers(VerifiedLayer.newBuilder().setDiffId(layer.diffId())
                    .setOutcome(VerifiedLayer.Outcome.valueOf(layer.outcome().name()))
                    .setFiles(layer.files()).setBytes(layer.bytes()).setDifferences(layer.differences())
                    .setNote(layer.note()));
        }
        return message.build();
    }

    static ReportDiskResponse disk(DiskReport report) {
        return ReportDiskResponse.newBuilder().setImages(report.images()).setLayers(part(report.layers()))
                .setShared(part(report.shared())).setUnused(part(report.unused()))
                .setWritable(part(report.writable())).build();
    }

    private static DiskPart part(Part part) {
        return DiskPart.newBuilder().setCount(part.count()).setBytes(part.bytes()).setInodes(part.inodes())
                .build();
    }

    static RegistryAuth auth(Credentials credentials) {
        return new RegistryAuth(credentials.getUsername(), credentials.getPassword(), "", "",
                credentials.getIdentityToken(), credentials.getRegistryToken());
    }
}
