package io.berth.runtime.stats;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Block devices by their numbers. */
final class BlockDevices {
    private static final Path BY_NUMBER = Path.of("/sys/dev/block");

    private BlockDevices() {}

    /** Its file, such as {@code /dev/sda}; its numbers where the kernel does not know it any more. */
    static String path(int major, int minor) {
        String numbers = major + ":" + minor;
        try {
            return "/dev/" + Files.readSymbolicLink(BY_NUMBER.resolve(numbers)).getFileName();
        } catch (IOException e) {
            return numbers;
        }
    }
}
