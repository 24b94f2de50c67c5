package io.berth.runtime.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;

import io.berth.runtime.config.ConfigException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code berth image}. */
@Command(name = "image", description = "Import and list images.", mixinStandardHelpOptions = true)
final class ImageCommand implements Runnable {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "image import or image ls?");
    }

    /** Imports through the daemon where it runs, else into the store itself. */
    @Command(name = "import", description = "Import images from an OCI archive, an OCI layout directory or an archive of \"docker save\".", mixinStandardHelpOptions = true, footerHeading = "%nExamples:%n", footer = {
            "  berth image import busybox.tar",
            "  berth image import --socket /run/berth/berth.sock ./layout"})
    int importImages(@Mixin ConfigOptions options,
            @Parameters(paramLabel = "FILE|DIR", description = "The archive or layout.") Path path)
            throws ConfigException, IOException {
        Path absolute = path.toAbsolutePath().normalize();
        if (!Files.isReadable(absolute)) {
            throw new IOException(
                    absolute + (Files.exists(absolute) ? " cannot be read" : " does not exist"));
        }
        PrintWriter out = spec.commandLine().getOut();
        try (ImageAccess images = ImageAccess.open(options.load())) {
            for (ImageRow image : images.importFrom(absolute)) {
                out.println("imported "
                        + (image.tags().isEmpty() ? "<none>" : String.join(", ", image.tags())) + " "
                        + image.id());
            }
        }
        out.flush();
        return 0;
    }

    /** Lists through the daemon where it runs, else from the store itself. */
    @Command(name = "ls", description = "List the images of this node.", mixinStandardHelpOptions = true, footerHeading = "%nExamples:%n", footer = {
            "  berth image ls", "  berth image ls --format json"})
    int list(@Mixin ConfigOptions options,
            @Option(names = "--format", paramLabel = "FORMAT", defaultValue = "table", description = "table or json (default: table).") OutputFormat format)
            throws ConfigException, IOException {
        List<ImageRow> rows;
        try (ImageAccess images = ImageAccess.open(options.load())) {
            rows = images.list();
        }
        PrintWriter out = spec.commandLine().getOut();
        switch (format) {
            case TABLE -> printTable(rows, out);
            case JSON -> printJson(rows, out);
        }
        out.flush();
        return 0;
    }

    private static void printTable(List<ImageRow> rows, PrintWriter out) {
        var table = new Table("IMAGE", "ID", "SIZE", "PINNED");
        for (ImageRow row : rows) {
            List<String> names = !row.tags().isEmpty() ? row.tags() : row.digests();
            for (String name : names.isEmpty() ? List.of("<none>") : names) {
                table.add(name, shortId(row.id()), size(row.sizeBytes()), row.pinned() ? "yes" : "no");
            }
        }
        table.print(out);
    }

    private static void printJson(List<ImageRow> rows, PrintWriter out) throws IOException {
        JsonGenerator json = new JsonFactory().createGenerator(out).useDefaultPrettyPrinter();
        json.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
        json.writeStartArray();
        for (ImageRow row : rows) {
            json.writeStartObject();
            json.writeStringField("id", row.id());
            writeStrings(json, "tags", row.tags());
            writeStrings(json, "digests", row.digests());
            json.writeNumberField("sizeBytes", row.sizeBytes());
            json.writeBooleanField("pinned", row.pinned());
            json.writeEndObject();
        }
        json.writeEndArray();
        json.close();
        out.println();
    }

    private static void writeStrings(JsonGenerator json, String name, List<String> values)
            throws IOException {
        json.writeArrayFieldStart(name);
        for (String value : values) {
            json.writeString(value);
        }
        json.writeEndArray();
    }

    private static String shortId(String id) {
        String hex = id.substring(id.indexOf(':') + 1);
        return hex.substring(0, Math.min(13, hex.length()));
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
}
