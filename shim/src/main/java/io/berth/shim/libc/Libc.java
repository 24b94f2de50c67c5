package io.berth.shim.libc;

import org.teavm.interop.Address;
import org.teavm.interop.Import;
import org.teavm.interop.c.Include;
import org.teavm.interop.c.Variable;

/**
 * The functions of the C library that the supervisor calls, under their own names; the only class that leaves Java.
 * Constants are those that x86_64, aarch64 and riscv64 share. An {@link Address} of an array is taken for the one call,
 * because the collector may move arrays.
 */
public final class Libc {
    public static final int EPERM = 1;
    public static final int ENOENT = 2;
    public static final int EINTR = 4;
    public static final int EIO = 5;
    public static final int EAGAIN = 11;

    public static final int O_RDONLY = 0;
    public static final int O_WRONLY = 1;
    public static final int O_RDWR = 2;
    public static final int O_CREAT = 0100;
    public static final int O_TRUNC = 01000;
    public static final int O_APPEND = 02000;
    public static final int O_NONBLOCK = 04000;
    public static final int O_CLOEXEC = 02000000;
    public static final int O_PATH = 010000000;
    public static final int SEEK_END = 2;

    public static final int F_DUPFD_CLOEXEC = 1030;
    public static final int F_SETFL = 4;
    public static final int F_SETPIPE_SZ = 1031;

    public static final int AF_UNIX = 1;
    public static final int SOCK_STREAM = 1;
    public static final int SOCK_NONBLOCK = O_NONBLOCK;
    public static final int SOCK_CLOEXEC = O_CLOEXEC;
    public static final int SOL_SOCKET = 1;
    public static final int SO_SNDBUFFORCE = 32;
    public static final int SCM_RIGHTS = 1;
    public static final int MSG_CMSG_CLOEXEC = 0x40000000;

    public static final int EPOLLIN = 1;
    public static final int EPOLLPRI = 2;
    public static final int EPOLLOUT = 4;
    public static final int EPOLLERR = 8;
    public static final int EPOLLHUP = 16;
    public static final int EPOLL_CTL_ADD = 1;
    public static final int EPOLL_CTL_DEL = 2;
    public static final int EPOLL_CTL_MOD = 3;

    public static final int SIGHUP = 1;
    public static final int SIGINT = 2;
    public static final int SIGKILL = 9;
    public static final int SIGPIPE = 13;
    public static final int SIGTERM = 15;
    public static final int SIGCHLD = 17;
    public static final int SIG_SETMASK = 2;
    public static final int WNOHANG = 1;

    public static final int PR_SET_PDEATHSIG = 1;
    public static final int PR_SET_CHILD_SUBREAPER = 36;
    public static final int CLONE_NEWPID = 0x20000000;
    public static final int SYS_FSOPEN = 430;
    public static final int SYS_FSCONFIG = 431;
    public static final int SYS_FSMOUNT = 432;
    public static final int SYS_CLOSE_RANGE = 436;
    public static final int FSOPEN_CLOEXEC = 1;
    public static final int FSCONFIG_SET_STRING = 1;
    public static final int FSCONFIG_CMD_CREATE = 6;
    public static final int FSMOUNT_CLOEXEC = 1;
    public static final int MOUNT_ATTR_NOSUID = 2;
    public static final int MOUNT_ATTR_NOEXEC = 8;
    public static final int S_IFCHR = 0020000;
    public static final int CLOCK_REALTIME = 0;
    public static final int CLOCK_MONOTONIC = 1;
    public static final int TIOCSWINSZ = 0x5414;
    public static final int MADV_DONTNEED = 4;

    private Libc() {}

    @Include("errno.h")
    @Variable
    @Import(name = "errno")
    public static native int errno();

    @Include("string.h")
    @Import(name = "strerror")
    public static native Address strerror(int errno);

    @Include("string.h")
    @Import(name = "strlen")
    public static native int strlen(Address text);

    @Include("string.h")
    @Import(name = "memchr")
    public static native Address memchr(Address from, int value, long length);

    @Include("string.h")
    @Import(name = "memcpy")
    public static native Address memcpy(Address to, Address from, long length);

    @Include("fcntl.h")
    @Import(name = "open")
    public static native int open(Address path, int flags, int mode);

    @Include("fcntl.h")
    @Import(name = "openat")
    public static native int openat(int directory, Address path, int flags, int mode);

    @Include("sys/stat.h")
    @Import(name = "mknodat")
    public static native int mknodat(int directory, Address path, int mode, long device);

    @Include("sys/stat.h")
    @Import(name = "fchmod")
    public static native int fchmod(int fd, int mode);

    @Include("fcntl.h")
    @Import(name = "fcntl")
    public static native int fcntl(int fd, int command, int argument);

    @Include("unistd.h")
    @Import(name = "read")
    public static native int read(int fd, Address buffer, long count);

    @Include("unistd.h")
    @Import(name = "pread")
    public static native int pread(int fd, Address buffer, long count, long offset);

    @Include("unistd.h")
    @Import(name = "write")
    public static native int write(int fd, Address buffer, long count);

    @Include("unistd.h")
    @Import(name = "close")
    public static native int close(int fd);

    @Include("unistd.h")
    @Import(name = "lseek")
    public static native long lseek(int fd, long offset, int whence);

    @Include("unistd.h")
    @Import(name = "ftruncate")
    public static native int ftruncate(int fd, long length);

    @Include("unistd.h")
    @Import(name = "fsync")
    public static native int fsync(int fd);

    @Include("stdio.h")
    @Import(name = "rename")
    public static native int rename(Address from, Address to);

    @Include("unistd.h")
    @Import(name = "unlink")
    public static native int unlink(Address path);

    @Include("unistd.h")
    @Import(name = "chdir")
    public static native int chdir(Address path);

    @Include("sys/stat.h")
    @Import(name = "umask")
    public static native int umask(int mask);

    @Include("unistd.h")
    @Import(name = "pipe2")
    public static native int pipe2(Address fds, int flags);

    @Include("unistd.h")
    @Import(name = "dup2")
    public static native int dup2(int fd, int as);

    @Include("sys/ioctl.h")
    @Import(name = "ioctl")
    public static native int ioctl(int fd, long request, Address argument);

    @Include("unistd.h")
    @Import(name = "syscall")
    public static native long syscall(long number, long first, long second, long third);

    /** {@link #SYS_FSOPEN}; C libraries have had a function for it only of late. */
    @Include("unistd.h")
    @Import(name = "syscall")
    public static native long fsopen(long number, Address type, long flags);

    /** {@link #SYS_FSCONFIG}. */
    @Include("unistd.h")
    @Import(name = "syscall")
    public static native long fsconfig(long number, long context, long command, Address key, Address value,
            long auxiliary);

    @Include("sys/socket.h")
    @Import(name = "socket")
    public static native int socket(int domain, int type, int protocol);

    @Include("sys/socket.h")
    @Import(name = "bind")
    public static native int bind(int fd, Address address, int length);

    @Include("sys/socket.h")
    @Import(name = "listen")
    public static native int listen(int fd, int backlog);

    @Include("sys/socket.h")
    @Import(name = "accept4")
    public static native int accept4(int fd, Address address, Address length, int flags);

    @Include("sys/socket.h")
    @Import(name = "recvmsg")
    public static native int recvmsg(int fd, Address message, int flags);

    @Include("sys/socket.h")
    @Import(name = "setsockopt")
    public static native int setsockopt(int fd, int level, int option, Address value, int length);

    @Include("sys/epoll.h")
    @Import(name = "epoll_create1")
    public static native int epollCreate1(int flags);

    @Include("sys/epoll.h")
    @Import(name = "epoll_ctl")
    public static native int epollCtl(int epoll, int operation, int fd, Address event);

    @Include("sys/epoll.h")
    @Import(name = "epoll_wait")
    public static native int epollWait(int epoll, Address events, int capacity, int timeoutMillis);

    /** 12 on x86_64, where the kernel packs it, else 16. */
    @Include("sys/epoll.h")
    @Variable
    @Import(name = "sizeof(struct epoll_event)")
    public static native int sizeOfEpollEvent();

    @Include("unistd.h")
    @Import(name = "fork")
    public static native int fork();

    @Include("unistd.h")
    @Import(name = "setsid")
    public static native int setsid();

    @Include("unistd.h")
    @Import(name = "getpid")
    public static native int getpid();

    @Include("unistd.h")
    @Import(name = "getppid")
    public static native int getppid();

    @Include("unistd.h")
    @Import(name = "execvp")
    public static native int execvp(Address file, Address arguments);

    @Include("unistd.h")
    @Import(name = "_exit")
    public static native void exitNow(int code);

    @Include("sys/wait.h")
    @Import(name = "waitpid")
    public static native int waitpid(int pid, Address status, int options);

    @Include("signal.h")
    @Import(name = "kill")
    public static native int kill(int pid, int signal);

    @Include("signal.h")
    @Import(name = "sigprocmask")
    public static native int sigprocmask(int how, Address set, Address old);

    /** Waits for a signal of {@code set}, which must be blocked; gives its number. */
    @Include("signal.h")
    @Import(name = "sigwaitinfo")
    public static native int sigwaitinfo(Address set, Address info);

    @Include("sys/signalfd.h")
    @Import(name = "signalfd")
    public static native int signalfd(int fd, Address set, int flags);

    @Include("sys/prctl.h")
    @Import(name = "prctl")
    public static native int prctl(int option, long first, long second, long third, long fourth);

    @Include("sched.h")
    @Import(name = "setns")
    public static native int setns(int fd, int type);

    @Include("sched.h")
    @Import(name = "unshare")
    public static native int unshare(int flags);

    @Include("time.h")
    @Import(name = "clock_gettime")
    public static native int clockGettime(int clock, Address time);

    @Include("sys/mman.h")
    @Import(name = "madvise")
    public static native int madvise(Address from, long length, int advice);
}
