package io.berth.linux;

import com.sun.jna.Native;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What the direct mappings of this package share.
 *
 * <p>
 * JNA keeps errno per carrier thread. A virtual thread changes its carrier only where it parks, never between two plain
 * calls, so {@link #failure} right after the native call reads the errno of that call.
 */
final class SystemCalls {
    // These numbers are the same on every architecture that Linux has (asm-generic since 5.0).
    static final long PIDFD_SEND_SIGNAL = 424;
    static final long OPEN_TREE = 428;
    static final long MOVE_MOUNT = 429;
    static final long FSOPEN = 430;
    static final long FSCONFIG = 431;
    static final long FSMOUNT = 432;
    static final long PIDFD_OPEN = 434;
    static final long MOUNT_SETATTR = 442;

    static final int AT_FDCWD = -100;

    static {
        Native.register(SystemCalls.class, "c");
    }

    private SystemCalls() {}

    /** {@code syscall(2)}, for the calls that an older libc has no function for. Every argument as the register takes it. */
    static native long syscall(long number, long a, long b, long c, long d, long e, long f);

    /** The exception for the call that has just returned an error on this thread. */
    static LinuxException failure(String call, @Nullable Object subject) {
        int errno = Native.getLastError();
        return new LinuxException(call, subject == null ? null : subject.toString(), errno);
    }

    /** {@code path} as C wants it. A path holds no NUL: the file system provider has seen to that. */
    static byte[] cString(Path path) {
        return cString(path.toString());
    }

    /**
     * {@code text} in UTF-8 with a NUL behind it.
     *
     * @throws IllegalArgumentException where it holds a NUL itself, since the kernel would see only what is before it
     */
    static byte[] cString(String text) {
        if (text.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("holds a NUL character: " + text.replace('\0', '?'));
        }
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return Arrays.copyOf(bytes, bytes.length + 1);
    }
}
