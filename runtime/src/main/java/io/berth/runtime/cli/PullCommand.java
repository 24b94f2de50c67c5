package io.berth.runtime.cli;

import io.berth.admin.v1.Credentials;
import io.berth.admin.v1.ImageDescription;
import io.berth.admin.v1.PullImageProgress;
import io.berth.admin.v1.PullImageRequest;
import io.berth.runtime.config.ConfigException;
import java.io.Console;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code berth image pull}. */
@Command(name = "pull", description = "Pull an image. Its id is printed; how far it is goes to stderr, as bars on a terminal.", mixinStandardHelpOptions = true, exitCodeListHeading = "%nExit status:%n", exitCodeList = {
        "0:the image is here", "1:failed", "2:wrong usage or configuration",
        "3:the registry has no such image"}, footerHeading = "%nExamples:%n", footer = {
                "  berth image pull busybox:1.37",
                "  berth image pull --creds robot:secret registry.example.com/app@sha256:..."})
final class PullCommand implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private ConfigOptions options;

    @Parameters(paramLabel = "IMAGE", description = "Tag or digest; short names are of docker.io.")
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private String reference;

    @Option(names = "--creds", paramLabel = "USER:PASSWORD", description = "Credentials for the registry (default: those of the node's auth file). Other users of the node can see them while the command runs.")
    private @Nullable String credentials;

    @Option(names = {"-q", "--quiet"}, description = "Say nothing but the image's id.")
    private boolean quiet;

    @Option(names = "--format", paramLabel = "FORMAT", defaultValue = "table", description = "table (the id) or json (default: table).")
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private OutputFormat format;

    /** JDK 25's console is none where input or output is not a terminal. */
    @SuppressWarnings("SystemConsoleNull")
    private static boolean isTerminal() {
        Console console = System.console();
        return console != null && console.isTerminal();
    }

    @Override
    public Integer call() throws ConfigException, IOException {
        var request = PullImageRequest.newBuilder().setReference(reference)
                .setCredentials(credentials(spec, credentials)).build();
        PrintWriter err = spec.commandLine().getErr();
        var display = new PullDisplay(err, isTerminal());
        try (ImageConnection images = ImageConnection.open(options.load())) {
            ImageDescription image = images.ask(service -> {
                Iterator<PullImageProgress> progress = service.pullImage(request);
                ImageDescription done = ImageDescription.getDefaultInstance();
                while (progress.hasNext()) {
                    PullImageProgress message = progress.next();
                    if (message.hasLayers() && !quiet) {
                        display.update(message.getLayers().getLayersList());
                    }
                    done = message.hasDone() ? message.getDone() : done;
                }
                return done;
            });
            PrintWriter out = spec.commandLine().getOut();
            if (format == OutputFormat.JSON) {
                new ImagePrinter(out).json(List.of(image), false);
            } else {
                out.println(image.getId());
            }
            out.flush();
        }
        return 0;
    }

    static Credentials credentials(CommandSpec spec, @Nullable String text) {
        if (text == null) {
            return Credentials.getDefaultInstance();
        }
        int colon = text.indexOf(':');
        if (colon < 1) {
            throw new ParameterException(spec.commandLine(), "--creds wants USER:PASSWORD");
        }
        return Credentials.newBuilder().setUsername(text.substring(0, colon))
                .setPassword(text.substring(colon + 1)).build();
    }
}
