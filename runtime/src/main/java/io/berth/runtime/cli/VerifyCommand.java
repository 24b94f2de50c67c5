package io.berth.runtime.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.admin.v1.VerifiedImage;
import io.berth.admin.v1.VerifiedLayer;
import io.berth.admin.v1.VerifyImagesProgress;
import io.berth.admin.v1.VerifyImagesRequest;
import io.berth.runtime.config.ConfigException;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code berth image verify}. */
@Command(name = "verify", description = {
        "Compare every file of images with what was recorded when they were unpacked: content, mode, owner, time, "
                + "attributes, links; and look for files that are missing or were added.",
        "With --repair, layers that differ are fetched again from the registry the image came from. Containers that "
                + "were made before go on with the files they have."}, mixinStandardHelpOptions = true, exitCodeListHeading = "%nExit status:%n", exitCodeList = {
                        "0:every layer is as recorded, or was repaired", "1:failed",
                        "2:wrong usage or configuration", "3:there is no such image",
                        "4:something is not as recorded"}, footerHeading = "%nExamples:%n", footer = {
                                "  berth image verify",
                                "  berth image verify --repair registry.example.com/app:1"})
final class VerifyCommand implements Callable<Integer> {
    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private ConfigOptions options;

    @Parameters(paramLabel = "IMAGE", arity = "0..*", description = "Names or ids (default: every image).")
    private List<String> references = List.of();

    @Option(names = "--repair", description = "Fetch layers again that differ or were never recorded.")
    private boolean repair;

    @Option(names = "--creds", paramLabel = "USER:PASSWORD", description = "Credentials for the registries that are asked (default: those of the node's auth file).")
    private @Nullable String credentials;

    @Option(names = "--format", paramLabel = "FORMAT", defaultValue = "table", description = "table (lines) or json (default: table).")
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private OutputFormat format;

    @Override
    public Integer call() throws ConfigException, IOException {
        var request = VerifyImagesRequest.newBuilder().addAllReferences(references).setRepair(repair)
                .setCredentials(PullCommand.credentials(spec, credentials)).build();
        List<VerifiedImage> verified = new ArrayList<>();
        Map<String, List<String>> differences = new LinkedHashMap<>();
        PrintWriter out = spec.commandLine().getOut();
        try (ImageConnection images = ImageConnection.open(options.load())) {
            images.ask(service -> {
                Iterator<VerifyImagesProgress> progress = service.verifyImages(request);
                while (progress.hasNext()) {
                    VerifyImagesProgress message = progress.next();
                    if (message.hasDifference()) {
                        differences.computeIfAbsent(message.getDifference().getDiffId(),
                                diffId -> new ArrayList<>()).add(message.getDifference().getLine());
                    }
                    if (message.hasDifference() && format == OutputFormat.TABLE) {
                        out.println(ImagePrinter.shortId(message.getDifference().getDiffId()) + " "
                                + message.getDifference().getLine());
                    }
                    if (message.hasImage()) {
                        verified.add(message.getImage());
                        print(message.getImage(), out);
                    }
                }
                return true;
            });
        }
        if (format == OutputFormat.JSON) {
            printJson(verified, differences, out);
        }
        out.flush();
        return verified.stream().allMatch(VerifiedImage::getClean) ? 0 : Berth.DAMAGED;
    }

    private void print(VerifiedImage image, PrintWriter out) {
        if (format == OutputFormat.JSON) {
            return;
        }
        for (VerifiedLayer layer : image.getLayersList()) {
            if (layer.getOutcome() != VerifiedLayer.Outcome.CLEAN) {
                out.println(ImagePrinter.shortId(layer.getDiffId()) + " " + words(layer.getOutcome())
                        + (layer.getNote().isEmpty() ? "" : ": " + layer.getNote()));
            }
        }
        long files = image.getLayersList().stream().mapToLong(VerifiedLayer::getFiles).sum();
        out.println(ImagePrinter.name(image.getImage()) + ": "
                + (image.getClean() ? "clean" : "NOT CLEAN") + ", " + files + " files in "
                + image.getLayersCount() + " layers");
        out.flush();
    }

    private static void printJson(List<VerifiedImage> verified, Map<String, List<String>> differences,
            PrintWriter out) throws IOException {
        ArrayNode list = JSON.createArrayNode();
        for (VerifiedImage image : verified) {
            ObjectNode node = list.addObject().put("id", image.getImage().getId());
            ArrayNode tags = node.putArray("tags");
            image.getImage().getRepoTagsList().forEach(tags::add);
            node.put("clean", image.getClean());
            ArrayNode layers = node.putArray("layers");
            for (VerifiedLayer layer : image.getLayersList()) {
                ObjectNode item = layers.addObject().put("diffId", layer.getDiffId())
                        .put("outcome", words(layer.getOutcome())).put("files", layer.getFiles())
                        .put("bytes", layer.getBytes()).put("note", layer.getNote());
                ArrayNode lines = item.putArray("differences");
                differences.getOrDefault(layer.getDiffId(), List.of()).forEach(lines::add);
            }
        }
        out.println(JSON.writeValueAsString(list));
    }

    private static String words(VerifiedLayer.Outcome outcome) {
        return outcome.name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }
}
