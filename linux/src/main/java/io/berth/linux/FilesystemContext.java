package io.berth.linux;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A file system that is being configured ({@code fsopen(2)}): option by option, so that no page limits their total length, and
 * with the kernel's own words in the error.
 */
public final class FilesystemContext implements AutoCloseable {
    private static final int FSOPEN_CLOEXEC = 1;
    private static final int FSMOUNT_CLOEXEC = 1;
    private static final int FSCONFIG_SET_FLAG = 0;
    private static final int FSCONFIG_SET_STRING = 1;
    private static final int FSCONFIG_SET_FD = 5;
    private static final int FSCONFIG_CMD_CREATE = 6;

    static {
        Native.register(FilesystemContext.class, "c");
    }

    private final String type;
    private final Fd fd;

    private FilesystemContext(String type, Fd fd) {
        this.type = type;
        this.fd = fd;
    }

    /** Starts a file system of {@code type}; ENODEV where the kernel has no such type. */
    public static FilesystemContext open(String type) throws LinuxException {
        try (Memory name = memory(type)) {
            long fd = SystemCalls.syscall(SystemCalls.FSOPEN, address(name), FSOPEN_CLOEXEC, 0, 0, 0, 0);
            if (fd < 0) {
                throw SystemCalls.failure("fsopen", type);
            }
            return new FilesystemContext(type, new Fd((int) fd));
        }
    }

    /** Sets {@code key=value}; a key that ends with {@code +} appends, such as overlay's {@code lowerdir+} (Linux 6.7). */
    public FilesystemContext set(String key, String value) throws LinuxException {
        configure(FSCONFIG_SET_STRING, key, value, 0);
        return this;
    }

    /** Sets an option that has no value. */
    public FilesystemContext set(String key) throws LinuxException {
        configure(FSCONFIG_SET_FLAG, key, null, 0);
        return this;
    }

    /** Sets an option whose value is an open file, such as a directory for overlay's {@code lowerdir+} (Linux 6.13). */
    public FilesystemContext set(String key, Fd value) throws LinuxException {
        configure(FSCONFIG_SET_FD, key, null, value.number());
        return this;
    }

    /** Makes the file system and a mount of it that is attached nowhere yet. */
    public DetachedMount mount(Set<MountAttribute> attributes) throws LinuxException {
        configure(FSCONFIG_CMD_CREATE, null, null, 0);
        long mount = SystemCalls.syscall(SystemCalls.FSMOUNT, fd.number(), FSMOUNT_CLOEXEC,
                MountAttribute.bits(attributes), 0, 0, 0);
        if (mount < 0) {
            throw failure("fsmount", type);
        }
        return new DetachedMount(new Fd((int) mount), type);
    }

    @Override
    public void close() {
        fd.close();
    }

    private void configure(int command, @Nullable String key, @Nullable String value, int auxiliary)
            throws LinuxException {
        try (Memory keyMemory = memory(key == null ? "" : key);
                Memory valueMemory = memory(value == null ? "" : value)) {
            long result = SystemCalls.syscall(SystemCalls.FSCONFIG, fd.number(), command,
                    key == null ? 0 : address(keyMemory), value == null ? 0 : address(valueMemory), auxiliary,
                    0);
            if (result != 0) {
                String option = key == null ? "" : value == null ? " " + key : " " + key + "=" + value;
                throw failure("fsconfig", type + option);
            }
        }
    }

    /** The errno of the call that has just failed, with what the kernel logged on this context. */
    private LinuxException failure(String call, String subject) {
        int errno = Native.getLastError();
        String log = log();
        return new LinuxException(call, log.isEmpty() ? subject : subject + " (" + log + ")", errno);
    }

    private String log() {
        StringBuilder text = new StringBuilder();
        try (Memory line = new Memory(1024)) {
            for (long length; (length = read(fd.number(), line, line.size())) > 0;) {
                // Each message starts with its severity: "e ", "w " or "i ".
                String message = new String(line.getByteArray(0, (int) length), StandardCharsets.UTF_8)
                        .strip();
                text.append(text.isEmpty() ? "" : "; ")
                        .append(message.length() > 2 ? message.substring(2) : message);
            }
        }
        return text.toString();
    }

    static Memory memory(String text) {
        byte[] bytes = SystemCalls.cString(text);
        Memory memory = new Memory(bytes.length);
        memory.write(0, bytes, 0, bytes.length);
        return memory;
    }

    static long address(Memory memory) {
        return com.sun.jna.Pointer.nativeValue(memory);
    }

    private static native long read(int fd, Memory buffer, long size);
}
