package io.berth.runtime.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.admin.v1.DiskPart;
import io.berth.admin.v1.ImageDescription;
import io.berth.admin.v1.ImportedImage;
import io.berth.admin.v1.LayerDescription;
import io.berth.admin.v1.ReportDiskResponse;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;

/** Prints what the image commands have to show. */
final class ImagePrinter {
    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
    private static final int SHORT_ID = 13;

    private final PrintWriter out;

    ImagePrinter(PrintWriter out) {
        this.out = out;
    }

    void table(List<ImageDescription> images) {
        var table = new Table("IMAGE", "ID", "SIZE", "CONTAINERS", "PINNED");
        for (ImageDescription image : images) {
            List<String> names = image.getRepoTagsCount() > 0
                    ? image.getRepoTagsList()
                    : image.getRepoDigestsList();
            for (String name : names.isEmpty() ? List.of("<none>") : names) {
                table.add(name, shortId(image.getId()), size(image.getSizeBytes()),
                        Integer.toString(image.getContainersCount()), image.getPinned() ? "yes" : "no");
            }
        }
        table.print(out);
    }

    /** A list of images as JSON. */
    void json(List<ImageDescription> images, boolean verbose) throws IOException {
        ArrayNode list = JSON.createArrayNode();
        for (ImageDescription image : images) {
            list.add(node(image, verbose));
        }
        out.println(JSON.writeValueAsString(list));
    }

    /** What an import brought, as JSON. */
    void imported(List<ImportedImage> images) throws IOException {
        ArrayNode list = JSON.createArrayNode();
        for (ImportedImage image : images) {
            strings(list.addObject().put("id", image.getId()).putArray("tags"), image.getRepoTagsList());
        }
        out.println(JSON.writeValueAsString(list));
    }

    void disk(ReportDiskResponse report, OutputFormat format) throws IOException {
        if (format == OutputFormat.JSON) {
            ObjectNode node = JSON.createObjectNode().put("images", report.getImages());
            node.set("layers", part(report.getLayers()));
            node.set("shared", part(report.getShared()));
            node.set("unused", part(report.getUnused()));
            node.set("writable", part(report.getWritable()));
            out.println(JSON.writeValueAsString(node));
            return;
        }
        var table = new Table("WHAT", "COUNT", "SIZE", "INODES");
        table.add("images", Long.toString(report.getImages()), "", "");
        row(table, "layers", report.getLayers());
        row(table, "  of several images", report.getShared());
        row(table, "  of unused images only", report.getUnused());
        row(table, "writable layers", report.getWritable());
        table.print(out);
    }

    /** Of an image: its name for people, with its short id. */
    static String name(ImageDescription image) {
        String name = image.getRepoTagsCount() > 0
                ? String.join(", ", image.getRepoTagsList())
                : image.getRepoDigestsCount() > 0 ? image.getRepoDigests(0) : "<none>";
        return name + " " + image.getId();
    }

    static String shortId(String digest) {
        String hex = digest.substring(digest.indexOf(':') + 1);
        return hex.substring(0, Math.min(SHORT_ID, hex.length()));
    }

    /** Decimal units, as image sizes are shown by crictl. */
    static String size(long bytes) {
        if (bytes < 1000) {
            return bytes + "B";
        }
        double value = bytes;
        int unit = -1;
        while (value >= 999.5 && unit < 3) {
            value /= 1000;
            unit++;
        }
        return String.format(Locale.ROOT, value < 9.995 ? "%.2f" : value < 99.95 ? "%.1f" : "%.0f", value)
                + List.of("kB", "MB", "GB", "TB").get(unit);
    }

    private static ObjectNode node(ImageDescription image, boolean verbose) throws IOException {
        ObjectNode node = JSON.createObjectNode().put("id", image.getId());
        strings(node.putArray("tags"), image.getRepoTagsList());
        strings(node.putArray("digests"), image.getRepoDigestsList());
        node.put("sizeBytes", image.getSizeBytes()).put("pinned", image.getPinned())
                .put("pulledAt", image.getPulledAt()).put("manifestDigest", image.getManifestDigest());
        strings(node.putArray("containers"), image.getContainersList());
        if (verbose) {
            ArrayNode layers = node.putArray("layers");
            for (LayerDescription layer : image.getLayersList()) {
                layers.addObject().put("diffId", layer.getDiffId()).put("diskBytes", layer.getDiskBytes())
                        .put("inodes", layer.getInodes()).put("recorded", layer.getRecorded())
                        .put("images", layer.getImages());
            }
            node.set("config", JSON.readTree(image.getConfigJson()));
            node.set("manifest", JSON.readTree(image.getManifestJson()));
        }
        return node;
    }

    private static void strings(ArrayNode array, List<String> values) {
        values.forEach(array::add);
    }

    private static ObjectNode part(DiskPart part) {
        return JSON.createObjectNode().put("count", part.getCount()).put("bytes", part.getBytes())
                .put("inodes", part.getInodes());
    }

    private static void row(Table table, String name, DiskPart part) {
        table.add(name, Long.toString(part.getCount()), size(part.getBytes()),
                Long.toString(part.getInodes()));
    }
}
