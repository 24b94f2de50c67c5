package io.berth.e2e;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** What not every node has; {@code ./test --vm} runs on one that has all of it. */
enum NodeFeature {
    CGROUP_V2("its control groups are not version 2 alone"), SYSTEMD("systemd is not its PID 1"), APPARMOR(
            "its kernel has no AppArmor"), SELINUX(
                    "its kernel has no SELinux, or a policy without containers"), ALL_CAPABILITIES(
                            "root lacks capabilities there, CAP_SYS_RESOURCE for one"), OWN_CLOCK(
                                    "its clock is that of a machine which others use, too");

    private final String lack;

    NodeFeature(String lack) {
        this.lack = lack;
    }

    boolean isPresent() {
        return switch (this) {
            case CGROUP_V2 -> Files.exists(Path.of("/sys/fs/cgroup/cgroup.controllers"));
            case SYSTEMD -> read("/proc/1/comm").equals("systemd");
            case APPARMOR -> read("/sys/module/apparmor/parameters/enabled").startsWith("Y");
            case SELINUX -> Files.exists(Path.of("/sys/fs/selinux/enforce")) && hasContainerTypes();
            case ALL_CAPABILITIES -> read("/proc/self/status").contains("CapEff:\t000001ffffffffff");
            // Whether anybody else minds cannot be seen from within.
            case OWN_CLOCK -> Boolean.getBoolean("e2e.own.clock");
        };
    }

    /** Why a test was not run on this node. */
    String lack() {
        return "NOT RUN on this node: " + lack + "; ./test --vm runs it";
    }

    /** The kernel takes only contexts that its policy has. */
    private static boolean hasContainerTypes() {
        try {
            Files.writeString(Path.of("/sys/fs/selinux/context"), "system_u:system_r:container_t:s0",
                    StandardOpenOption.WRITE);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    private static String read(String file) {
        try {
            return Files.exists(Path.of(file)) ? Files.readString(Path.of(file)).strip() : "";
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
