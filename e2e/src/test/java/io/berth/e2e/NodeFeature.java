package io.berth.e2e;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.BooleanSupplier;

/** What not every node has; {@code ./test --vm} runs on one that has all of it. */
enum NodeFeature {
    CGROUP_V2("its control groups are not version 2 alone",
            () -> Files.exists(Path.of("/sys/fs/cgroup/cgroup.controllers"))), SYSTEMD(
                    "systemd is not its PID 1",
                    () -> read("/proc/1/comm").equals("systemd")), APPARMOR("its kernel has no AppArmor",
                            () -> read("/sys/module/apparmor/parameters/enabled")
                                    .startsWith("Y")), ALL_CAPABILITIES(
                                            "root lacks capabilities there, CAP_SYS_RESOURCE for one",
                                            () -> read("/proc/self/status")
                                                    .contains("CapEff:\t000001ffffffffff"));

    private final String lack;
    private final BooleanSupplier present;

    NodeFeature(String lack, BooleanSupplier present) {
        this.lack = lack;
        this.present = present;
    }

    boolean isPresent() { return present.getAsBoolean(); }

    /** Why a test was not run on this node. */
    String lack() {
        return "NOT RUN on this node: " + lack + "; ./test --vm runs it";
    }

    private static String read(String file) {
        try {
            return Files.exists(Path.of(file)) ? Files.readString(Path.of(file)).strip() : "";
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
