package io.berth.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The running of the kernel from one start of the machine to the next. */
public final class Boot {
    private static final Path ID = Path.of("/proc/sys/kernel/random/boot_id");

    private Boot() {}

    /** What the kernel calls this boot: a random UUID, another one after each start. */
    public static String id() throws IOException {
        return Files.readString(ID).strip();
    }
}
