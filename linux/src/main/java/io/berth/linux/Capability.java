package io.berth.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Set;

/** A capability, as of {@code capabilities(7)}; in the order of the kernel's numbers. */
public enum Capability {
    CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_LINUX_IMMUTABLE, CAP_NET_BIND_SERVICE, CAP_NET_BROADCAST, CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK, CAP_IPC_OWNER, CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_CHROOT, CAP_SYS_PTRACE, CAP_SYS_PACCT, CAP_SYS_ADMIN, CAP_SYS_BOOT, CAP_SYS_NICE, CAP_SYS_RESOURCE, CAP_SYS_TIME, CAP_SYS_TTY_CONFIG, CAP_MKNOD, CAP_LEASE, CAP_AUDIT_WRITE, CAP_AUDIT_CONTROL, CAP_SETFCAP, CAP_MAC_OVERRIDE, CAP_MAC_ADMIN, CAP_SYSLOG, CAP_WAKE_ALARM, CAP_BLOCK_SUSPEND, CAP_AUDIT_READ, CAP_PERFMON, CAP_BPF, CAP_CHECKPOINT_RESTORE;

    /** Which of a process's sets. */
    public enum Kind {
        INHERITABLE("CapInh"), PERMITTED("CapPrm"), EFFECTIVE("CapEff"), BOUNDING("CapBnd"), AMBIENT(
                "CapAmb");

        private final String field;

        Kind(String field) {
            this.field = field;
        }
    }

    /** This process's own set. Numbers that this list does not have yet are left out. */
    public static Set<Capability> own(Kind kind) throws IOException {
        return parse(Files.readString(Path.of("/proc/self/status")), kind);
    }

    static Set<Capability> parse(String status, Kind kind) {
        String field = kind.field + ":";
        String line = status.lines().filter(l -> l.startsWith(field)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no " + field + " in /proc/PID/status"));
        return of(Long.parseUnsignedLong(line.substring(field.length()).strip(), 16));
    }

    private static Set<Capability> of(long bits) {
        EnumSet<Capability> set = EnumSet.noneOf(Capability.class);
        long rest = bits;
        for (Capability capability : values()) {
            if ((rest & 1) != 0) {
                set.add(capability);
            }
            rest >>>= 1;
        }
        return set;
    }
}
