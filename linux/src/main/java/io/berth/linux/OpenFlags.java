package io.berth.linux;

/** Flags of {@code open(2)} and {@code openat2(2)}; four of them have other numbers on arm64 than on x86-64. */
public final class OpenFlags {
    public static final int O_RDONLY = 0;
    public static final int O_WRONLY = 1;
    public static final int O_RDWR = 2;
    public static final int O_CREAT = 0100;
    public static final int O_EXCL = 0200;
    public static final int O_NOCTTY = 0400;
    public static final int O_TRUNC = 01000;
    public static final int O_APPEND = 02000;
    public static final int O_NONBLOCK = 04000;
    public static final int O_DIRECTORY = Machine.ARM64 ? 040000 : 0200000;
    public static final int O_NOFOLLOW = Machine.ARM64 ? 0100000 : 0400000;
    public static final int O_CLOEXEC = 02000000;
    public static final int O_PATH = 010000000;

    /** Refuse to cross a mount point. */
    public static final long RESOLVE_NO_XDEV = 0x01;
    /** Refuse {@code /proc/<pid>/fd} style links. */
    public static final long RESOLVE_NO_MAGICLINKS = 0x02;
    /** Refuse every symbolic link, also in the middle of a path. */
    public static final long RESOLVE_NO_SYMLINKS = 0x04;
    /** Refuse what leads above the directory. */
    public static final long RESOLVE_BENEATH = 0x08;
    /** Treat the directory as {@code /}: absolute links and {@code ..} stay inside. */
    public static final long RESOLVE_IN_ROOT = 0x10;

    private OpenFlags() {}
}
