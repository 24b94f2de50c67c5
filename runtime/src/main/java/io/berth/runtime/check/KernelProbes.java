package io.berth.runtime.check;

import io.berth.linux.DetachedMount;
import io.berth.linux.Errno;
import io.berth.linux.Fd;
import io.berth.linux.FilesystemContext;
import io.berth.linux.LinuxException;
import io.berth.linux.OpenFlags;
import io.berth.linux.Openat;
import io.berth.linux.PidFd;
import io.berth.linux.RawPath;
import java.nio.file.Path;

/** Asks the kernel by making the call, since neither version nor configuration say what a seccomp filter or a vendor took away. */
interface KernelProbes {
    /** What asking gave. */
    enum Answer {
        YES,
        /** The kernel does not have it. */
        NO,
        /** This process may not ask. */
        FORBIDDEN
    }

    /** {@code openat2(2)}, by which layers are unpacked safely. Linux 5.6. */
    Answer openat2();

    /** overlayfs, and {@code fsopen(2)} by which it is mounted. Linux 5.2. */
    Answer overlayfs();

    /** {@code open_tree(2)} and {@code mount_setattr(2)}: read-only recursive and id-mapped mounts. Linux 5.12. */
    Answer mountAttributes();

    /** {@code pidfd_open(2)}, by which processes are watched. Linux 5.3. */
    Answer pidfd();

    /** The kernel that runs. */
    static KernelProbes real() {
        return new KernelProbes() {
            @Override
            public Answer openat2() {
                return ask(() -> {
                    try (Fd root = Openat.open(RawPath.of("/"), OpenFlags.O_PATH)) {
                        Openat.open(root, RawPath.of("."), OpenFlags.O_PATH, 0, OpenFlags.RESOLVE_IN_ROOT)
                                .close();
                    }
                });
            }

            @Override
            public Answer overlayfs() {
                return ask(() -> FilesystemContext.open("overlay").close());
            }

            @Override
            public Answer mountAttributes() {
                return ask(() -> DetachedMount.cloneOf(Path.of("/proc/self"), false).close());
            }

            @Override
            public Answer pidfd() {
                return ask(() -> PidFd.open(ProcessHandle.current().pid()).close());
            }
        };
    }

    /** A call that may fail. */
    interface Call {
        void make() throws LinuxException;
    }

    private static Answer ask(Call call) {
        try {
            call.make();
            return Answer.YES;
        } catch (LinuxException e) {
            return e.errno() == Errno.EPERM || e.errno() == Errno.EACCES ? Answer.FORBIDDEN : Answer.NO;
        }
    }
}
