package io.berth.linux;

/**
 * The error numbers of the kernel that Berth tells apart, as of {@code errno(3)} with the numbers that x86-64 and
 * arm64 share.
 */
public enum Errno {
    EPERM(1), ENOENT(2), ESRCH(3), EINTR(4), EIO(5), ENXIO(6), E2BIG(7), ENOEXEC(8), EBADF(9), ECHILD(
            10), EAGAIN(11), ENOMEM(12), EACCES(13), EFAULT(14), ENOTBLK(15), EBUSY(16), EEXIST(17), EXDEV(
                    18), ENODEV(19), ENOTDIR(20), EISDIR(21), EINVAL(22), ENFILE(23), EMFILE(24), ENOTTY(
                            25), ETXTBSY(26), EFBIG(27), ENOSPC(28), ESPIPE(29), EROFS(30), EMLINK(31), EPIPE(
                                    32), EDOM(33), ERANGE(34), EDEADLK(35), ENAMETOOLONG(36), ENOLCK(
                                            37), ENOSYS(38), ENOTEMPTY(39), ELOOP(40), ENODATA(61), EOVERFLOW(
                                                    75), EUSERS(87), ENOTSOCK(88), EADDRINUSE(
                                                            98), ENETUNREACH(101), ECONNRESET(104), ENOBUFS(
                                                                    105), ENOTCONN(107), ETIMEDOUT(
                                                                            110), ECONNREFUSED(
                                                                                    111), EOPNOTSUPP(
                                                                                            95), EALREADY(
                                                                                                    114), EINPROGRESS(
                                                                                                            115), ESTALE(
                                                                                                                    116), EDQUOT(
                                                                                                                            122),
    /** Any number that has no constant here; {@link LinuxException#number()} has it. */
    OTHER(-1);

    private final int number;

    Errno(int number) {
        this.number = number;
    }

    /** The kernel's number, or -1 for {@link #OTHER}. */
    public int number() {
        return number;
    }

    /** The constant for {@code number}; {@link #OTHER} where there is none. */
    public static Errno of(int number) {
        for (Errno errno : values()) {
            if (errno.number == number) {
                return errno;
            }
        }
        return OTHER;
    }
}
