package io.berth.e2e.node;

import io.berth.e2e.cri.Await;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** The processes of the node, those of containers among them. */
public final class Processes {
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private Processes() {}

    /** Command lines, blanks between their words; a process that is just ending has none. */
    public static List<String> commandLines() {
        return ProcessHandle.allProcesses().map(Processes::commandLine).toList();
    }

    /**
     * The one whose command line ends in {@code words}. StartContainer answers as soon as the OCI runtime has let a process go,
     * which may be a moment before that is what the container asked for.
     */
    public static ProcessHandle await(String words) {
        return Await.until("a process \"" + words + "\" runs", LIMIT, () -> find(words), Optional::isPresent)
                .orElseThrow();
    }

    private static Optional<ProcessHandle> find(String words) {
        return ProcessHandle.allProcesses().filter(process -> commandLine(process).endsWith(words))
                .findFirst();
    }

    private static String commandLine(ProcessHandle process) {
        return process.info().commandLine().orElse("");
    }
}
