package io.berth.linux;

import java.util.Locale;

/** What differs between the machines that Berth runs on. */
final class Machine {
    static final boolean ARM64 = isArm64(System.getProperty("os.arch", ""));

    private Machine() {}

    private static boolean isArm64(String architecture) {
        return switch (architecture.toLowerCase(Locale.ROOT)) {
            case "aarch64", "arm64" -> true;
            case "amd64", "x86_64" -> false;
            default -> throw new UnsupportedOperationException(
                    "Berth runs on x86-64 and arm64, this machine is " + architecture);
        };
    }
}
