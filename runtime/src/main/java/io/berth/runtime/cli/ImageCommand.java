package io.berth.runtime.cli;

import io.berth.admin.v1.DescribeImagesRequest;
import io.berth.admin.v1.ExportImagesProgress;
import io.berth.admin.v1.ExportImagesRequest;
import io.berth.admin.v1.ImageDescription;
import io.berth.admin.v1.ImportImageProgress;
import io.berth.admin.v1.ImportImageRequest;
import io.berth.admin.v1.ImportedImage;
import io.berth.admin.v1.PruneImagesRequest;
import io.berth.admin.v1.RemoveImageRequest;
import io.berth.admin.v1.ReportDiskRequest;
import io.berth.admin.v1.TagImageRequest;
import io.berth.admin.v1.UntagImageRequest;
import io.berth.runtime.config.ConfigException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.Function;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code berth image}: through the daemon where it runs, else on the store itself. */
@Command(name = "image", description = {"Pull, list, move and check the images of this node.",
        "An image is named by a tag, a digest, its id or the first digits of it (at least 3)."}, mixinStandardHelpOptions = true, subcommands = {
                PullCommand.class,
                VerifyCommand.class}, exitCodeListHeading = "%nExit status:%n", exitCodeList = {
                        "0:done", "1:failed", "2:wrong usage or configuration", "3:there is no such image",
                        "4:verify: something is not as recorded"})
final class ImageCommand implements Runnable {
    private static final String FORMAT = "table or json (default: table).";

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(),
                "image what? pull, ls, inspect, tag, untag, rm, import, export, verify, prune or df");
    }

    @Command(name = "ls", description = "List the images of this node.", mixinStandardHelpOptions = true, footerHeading = "%nExamples:%n", footer = {
            "  berth image ls", "  berth image ls --format json"})
    int list(@Mixin ConfigOptions options,
            @Option(names = "--format", paramLabel = "FORMAT", defaultValue = "table", description = FORMAT) OutputFormat format)
            throws ConfigException, IOException {
        List<ImageDescription> images = describe(options, List.of(), false);
        if (format == OutputFormat.JSON) {
            printer().json(images, false);
        } else {
            printer().table(images);
        }
        return flushed();
    }

    @Command(name = "inspect", description = "Show images with their configs, manifests, layers and containers, as JSON.", mixinStandardHelpOptions = true, footerHeading = "%nExample:%n", footer = "  berth image inspect busybox | jq '.[0].config.config.Env'")
    int inspect(@Mixin ConfigOptions options,
            @Parameters(paramLabel = "IMAGE", arity = "1..*", description = "Names or ids.") List<String> references,
            @Option(names = "--format", paramLabel = "FORMAT", defaultValue = "json", description = "json, the only one (default: json).") JsonOnly format)
            throws ConfigException, IOException {
        printer().json(describe(options, references, true), true);
        return flushed();
    }

    /** What {@code inspect} prints, so that scripts may ask every command for it. */
    enum JsonOnly {
        JSON
    }

    @Command(name = "tag", description = "Give an image one more tag, which moves here from any other image.", mixinStandardHelpOptions = true, footerHeading = "%nExample:%n", footer = "  berth image tag 3f57d9401f8d registry.example.com/busybox:mine")
    int tag(@Mixin ConfigOptions options,
            @Parameters(index = "0", paramLabel = "IMAGE", description = "Name or id.") String reference,
            @Parameters(index = "1", paramLabel = "TAG", description = "The tag it gets.") String tag,
            @Option(names = "--format", paramLabel = "FORMAT", defaultValue = "table", description = FORMAT) OutputFormat format)
            throws ConfigException, IOException {
        try (ImageConnection images = ImageConnection.open(options.load())) {
            ImageDescription tagged = images.ask(service -> service
                    .tagImage(TagImageRequest.newBuilder().setReference(reference).setTag(tag).build())
                    .getImage());
            done(List.of(tagged), format, image -> "tagged " + ImagePrinter.name(image));
        }
        return flushed();
    }

    @Command(name = "untag", description = "Take one name away from its image, which stays.", mixinStandardHelpOptions = true, footerHeading = "%nExample:%n", footer = "  berth image untag registry.example.com/busybox:mine")
    int untag(@Mixin ConfigOptions options,
            @Parameters(paramLabel = "NAME", description = "Tag or digest, in full.") String name,
            @Option(names = "--format", paramLabel = "FORMAT", defaultValue = "table", description = FORMAT) OutputFormat format)
            throws ConfigException, IOException {
        try (ImageConnection images = ImageConnection.open(options.load())) {
            ImageDescription left = images.ask(service -> service
                    .untagImage(UntagImageRequest.newBuilder().setName(name).build()).getImage());
            done(List.of(left), format, image -> "left " + ImagePrinter.name(image));
        }
        return flushed();
    }

    @Command(name = "rm", description = {"Remove images with all their names.",
            "Containers made of one run on; the layers that only they need go with the last of them."}, mixinStandardHelpOptions = true, footerHeading = "%nExample:%n", footer = "  berth image rm busybox:1.37 3f57d9401f8d")
    int remove(@Mixin ConfigOptions options,
            @Parameters(paramLabel = "IMAGE", arity = "1..*", description = "Names or ids.") List<String> references,
            @Option(names = "--force", description = "Remove pinned images, too.") boolean force,
            @Option(names = "--format", paramLabel = "FORMAT", defaultValue = "table", description = FORMAT) OutputFormat format)
            throws ConfigException, IOException {
        List<ImageDescription> removed = new ArrayList<>();
        try (ImageConnection images = ImageConnection.open(options.load())) {
            for (String reference : references) {
                removed.add(images.ask(service -> service.removeImage(RemoveImageRequest
                        .newBuilder().setReference(reference).setForce(force).build()).getImage()));
            }
        } finally {
            // Of several, the ones before one that fails are gone.
            done(removed, format, image -> "removed " + ImagePrinter.name(image) + containers(image));
            flushed();
        }
        return 0;
    }

    @Command(name = "import", description = "Import images from an OCI archive, an OCI layout directory or an archive of \"docker save\"; archives may be compressed.", mixinStandardHelpOptions = true, footerHeading = "%nExamples:%n", footer = {
            "  berth image import busybox.tar",
            "  berth image import --socket /run/berth/berth.sock ./layout"})
    int importImages(@Mixin ConfigOptions options,
            @Parameters(paramLabel = "FILE|DIR", description = "The archive or layout.") Path path,
            @Option(names = "--format", paramLabel = "FORMAT", defaultValue = "table", description = FORMAT) OutputFormat format)
            throws ConfigException, IOException {
        Path absolute = path.toAbsolutePath().normalize();
        if (!Files.isReadable(absolute)) {
            throw new IOException(
                    absolute + (Files.exists(absolute) ? " cannot be read" : " does not exist"));
        }
        try (ImageConnection images = ImageConnection.open(options.load())) {
            List<ImportedImage> imported = images.ask(service -> {
                Iterator<ImportImageProgress> progress = service
                        .importImage(ImportImageRequest.newBuilder().setPath(absolute.toString()).build());
                List<ImportedImage> all = new ArrayList<>();
                progress.forEachRemaining(message -> all.addAll(message.getDone().getImagesList()));
                return all;
            });
            if (format == OutputFormat.JSON) {
                printer().imported(imported);
                return flushed();
            }
            for (ImportedImage image : imported) {
                out().println("imported " + (image.getRepoTagsCount() == 0
                        ? "<none>"
                        : String.join(", ", image.getRepoTagsList())) + " " + image.getId());
            }
        }
        return flushed();
    }

    @Command(name = "export", description = {"Write images to a file or directory.",
            "What is imported from it has the same image ids and diff ids, and (into Berth, but for docker-archives) the "
                    + "same manifest digests. The same images always make the same bytes. Layers are not compressed."}, mixinStandardHelpOptions = true, footerHeading = "%nExamples:%n", footer = {
                            "  berth image export -o busybox.tar busybox:1.37",
                            "  berth image export --to docker-archive -o all.tar app:1 app:2"})
    int export(@Mixin ConfigOptions options,
            @Parameters(paramLabel = "IMAGE", arity = "1..*", description = "Names or ids.") List<String> references,
            @Option(names = {"-o",
                    "--output"}, required = true, paramLabel = "PATH", description = "The file, which is replaced, or the directory, which must be absent or empty.") Path path,
            @Option(names = "--to", paramLabel = "KIND", defaultValue = "oci-archive", description = "oci-archive, oci-layout (a directory) or docker-archive (default: oci-archive).") String kind,
            @Option(names = "--format", paramLabel = "FORMAT", defaultValue = "table", description = FORMAT) OutputFormat format)
            throws ConfigException, IOException {
        Path absolute = path.toAbsolutePath().normalize();
        ExportImagesRequest request = ExportImagesRequest.newBuilder().addAllReferences(references)
                .setPath(absolute.toString()).setFormat(format(kind)).build();
        try (ImageConnection images = ImageConnection.open(options.load())) {
            List<ImageDescription> exported = images.ask(service -> {
                Iterator<ExportImagesProgress> progress = service.exportImages(request);
                List<ImageDescription> all = new ArrayList<>();
                progress.forEachRemaining(message -> all.addAll(message.getStarted().getImagesList()));
                return all;
            });
            done(exported, format, image -> "exported " + ImagePrinter.name(image));
        }
        return flushed();
    }

    @Command(name = "prune", description = "Remove images that no container uses, have no tag and are not pinned.", mixinStandardHelpOptions = true, footerHeading = "%nExamples:%n", footer = {
            "  berth image prune --dry-run", "  berth image prune --all"})
    int prune(@Mixin ConfigOptions options,
            @Option(names = {"-a", "--all"}, description = "Those with tags, too.") boolean all,
            @Option(names = {"-n", "--dry-run"}, description = "Only say which.") boolean dryRun,
            @Option(names = "--format", paramLabel = "FORMAT", defaultValue = "table", description = FORMAT) OutputFormat format)
            throws ConfigException, IOException {
        try (ImageConnection images = ImageConnection.open(options.load())) {
            List<ImageDescription> pruned = images.ask(service -> service
                    .pruneImages(PruneImagesRequest.newBuilder().setAll(all).setDryRun(dryRun).build())
                    .getImagesList());
            done(pruned, format,
                    image -> (dryRun ? "would remove " : "removed ") + ImagePrinter.name(image));
        }
        return flushed();
    }

    @Command(name = "df", description = "Say what takes how much of the disk.", mixinStandardHelpOptions = true, footerHeading = "%nExample:%n", footer = "  berth image df --format json")
    int diskUse(@Mixin ConfigOptions options,
            @Option(names = "--format", paramLabel = "FORMAT", defaultValue = "table", description = FORMAT) OutputFormat format)
            throws ConfigException, IOException {
        try (ImageConnection images = ImageConnection.open(options.load())) {
            printer().disk(images.ask(service -> service.reportDisk(ReportDiskRequest.getDefaultInstance())),
                    format);
        }
        return flushed();
    }

    private List<ImageDescription> describe(ConfigOptions options, List<String> references, boolean verbose)
            throws ConfigException, IOException {
        try (ImageConnection images = ImageConnection.open(options.load())) {
            return images.ask(service -> service.describeImages(DescribeImagesRequest.newBuilder()
                    .addAllReferences(references).setVerbose(verbose).build()).getImagesList());
        }
    }

    /** Says what was done with images: in a line for each, or as their list in JSON. */
    private void done(List<ImageDescription> images, OutputFormat format,
            Function<ImageDescription, String> line) throws IOException {
        if (format == OutputFormat.JSON) {
            printer().json(images, false);
        } else {
            images.forEach(image -> out().println(line.apply(image)));
        }
    }

    private ExportImagesRequest.Format format(String kind) {
        return switch (kind) {
            case "oci-archive" -> ExportImagesRequest.Format.OCI_ARCHIVE;
            case "oci-layout" -> ExportImagesRequest.Format.OCI_LAYOUT;
            case "docker-archive" -> ExportImagesRequest.Format.DOCKER_ARCHIVE;
            default -> throw new ParameterException(spec.commandLine(), "--to " + kind
                    + " is none of oci-archive, oci-layout and docker-archive");
        };
    }

    private static String containers(ImageDescription image) {
        return image.getContainersCount() == 0
                ? ""
                : "; its layers stay for " + image.getContainersCount() + " containers that use them";
    }

    private ImagePrinter printer() {
        return new ImagePrinter(out());
    }

    private PrintWriter out() {
        return spec.commandLine().getOut();
    }

    private int flushed() {
        out().flush();
        return 0;
    }
}
