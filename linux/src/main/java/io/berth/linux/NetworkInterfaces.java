package io.berth.linux;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Network interfaces of the calling thread's network namespace; use {@link Namespaces#callIn} for another. */
public final class NetworkInterfaces {
    private static final int AF_INET = 2;
    private static final int SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
    private static final long SIOCGIFFLAGS = 0x8913;
    private static final long SIOCSIFFLAGS = 0x8914;
    private static final int IFREQ_SIZE = 40;
    private static final int IFREQ_FLAGS = 16;
    private static final short IFF_UP = 1;

    static {
        Native.register(NetworkInterfaces.class, "c");
    }

    private NetworkInterfaces() {}

    /** Brings {@code name} up; up already is success. ENODEV where there is no such interface. */
    public static void up(String name) throws LinuxException {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (bytes.length == 0 || bytes.length >= IFREQ_FLAGS) {
            throw new IllegalArgumentException("not the name of a network interface: " + name);
        }
        int number = socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0);
        if (number < 0) {
            throw SystemCalls.failure("socket", "AF_INET");
        }
        try (Fd socket = new Fd(number); Memory request = new Memory(IFREQ_SIZE)) {
            request.clear();
            request.write(0, bytes, 0, bytes.length);
            if (ioctl(socket.number(), SIOCGIFFLAGS, request) != 0) {
                throw SystemCalls.failure("ioctl SIOCGIFFLAGS", name);
            }
            request.setShort(IFREQ_FLAGS, (short) (request.getShort(IFREQ_FLAGS) | IFF_UP));
            if (ioctl(socket.number(), SIOCSIFFLAGS, request) != 0) {
                throw SystemCalls.failure("ioctl SIOCSIFFLAGS", name);
            }
        }
    }

    /** What each interface has carried, in the kernel's order. */
    public static List<Statistics> statistics() throws IOException {
        // Not /proc/net: that is the main thread's.
        return parse(Files.readAllLines(Path.of("/proc/thread-self/net/dev")));
    }

    static List<Statistics> parse(List<String> lines) {
        List<Statistics> all = new ArrayList<>();
        // Two lines of headings come first.
        for (String line : lines.subList(Math.min(2, lines.size()), lines.size())) {
            int colon = line.lastIndexOf(':');
            String[] values = line.substring(colon + 1).strip().split("\\s+");
            if (colon < 0 || values.length < 12) {
                throw new IllegalArgumentException("not a line of /proc/net/dev: " + line);
            }
            all.add(new Statistics(line.substring(0, colon).strip(), Long.parseUnsignedLong(values[0]),
                    Long.parseUnsignedLong(values[1]), Long.parseUnsignedLong(values[2]),
                    Long.parseUnsignedLong(values[3]), Long.parseUnsignedLong(values[8]),
                    Long.parseUnsignedLong(values[9]), Long.parseUnsignedLong(values[10]),
                    Long.parseUnsignedLong(values[11])));
        }
        return all;
    }

    /** Counters of one interface since it was made. */
    public record Statistics(String name, long receivedBytes, long receivedPackets, long receiveErrors,
            long receiveDropped, long sentBytes, long sentPackets, long sendErrors, long sendDropped) {}

    private static native int socket(int domain, int type, int protocol);

    private static native int ioctl(int fd, long request, Memory argument);
}
