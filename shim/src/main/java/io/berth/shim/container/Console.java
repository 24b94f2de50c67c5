package io.berth.shim.container;

import io.berth.shim.libc.Libc;
import io.berth.shim.libc.Text;
import io.berth.shim.wire.Wire;
import org.teavm.interop.Address;

/**
 * The Unix socket over which an OCI runtime hands out the master side of a terminal. Its name is relative to the
 * supervisor's directory, so that no path is too long for a socket.
 */
final class Console {
    private static final int ADDRESS_BYTES = 110;
    private static final int MESSAGE_BYTES = 56;
    private static final int CONTROL_BYTES = 24;
    private static final int CONTROL_LENGTH = 20;

    private static final byte[] ADDRESS = new byte[ADDRESS_BYTES];
    private static final byte[] MESSAGE = new byte[MESSAGE_BYTES];
    private static final byte[] CONTROL = new byte[CONTROL_BYTES];
    private static final byte[] VECTOR = new byte[16];
    private static final byte[] DATA = new byte[4096];
    private static final byte[] SIZE = new byte[8];

    private Console() {}

    /** A listening socket at {@code name} in the working directory, or a negated errno. */
    static int listen(Text name, int backlog) {
        int fd = Libc.socket(Libc.AF_UNIX, Libc.SOCK_STREAM | Libc.SOCK_NONBLOCK | Libc.SOCK_CLOEXEC, 0);
        if (fd < 0) {
            return -Libc.errno();
        }
        ADDRESS[0] = Libc.AF_UNIX;
        ADDRESS[1] = 0;
        for (int i = 0; i <= name.length(); i++) {
            ADDRESS[2 + i] = name.array()[i];
        }
        Libc.unlink(name.address());
        if (Libc.bind(fd, Address.ofData(ADDRESS), 2 + name.length() + 1) < 0
                || Libc.listen(fd, backlog) < 0) {
            int errno = Libc.errno();
            Libc.close(fd);
            return -errno;
        }
        return fd;
    }

    /** Takes the terminal that the runtime, which has ended, sent to {@code listener}; below 0 where it sent none. */
    static int take(int listener) {
        int fd = Libc.accept4(listener, Address.fromLong(0), Address.fromLong(0), Libc.SOCK_CLOEXEC);
        if (fd < 0) {
            return -1;
        }
        Wire.putLongLittle(VECTOR, 0, Address.ofData(DATA).toLong());
        Wire.putLongLittle(VECTOR, 8, DATA.length);
        for (int i = 0; i < MESSAGE_BYTES; i++) {
            MESSAGE[i] = 0;
        }
        Wire.putLongLittle(MESSAGE, 16, Address.ofData(VECTOR).toLong());
        Wire.putLongLittle(MESSAGE, 24, 1);
        Wire.putLongLittle(MESSAGE, 32, Address.ofData(CONTROL).toLong());
        Wire.putLongLittle(MESSAGE, 40, CONTROL_BYTES);
        int received = Libc.recvmsg(fd, Address.ofData(MESSAGE), Libc.MSG_CMSG_CLOEXEC);
        Libc.close(fd);
        if (received < 0 || Wire.longLittle(MESSAGE, 40) < CONTROL_LENGTH
                || Wire.longLittle(CONTROL, 0) < CONTROL_LENGTH
                || Wire.intLittle(CONTROL, 8) != Libc.SOL_SOCKET
                || Wire.intLittle(CONTROL, 12) != Libc.SCM_RIGHTS) {
            return -1;
        }
        int master = Wire.intLittle(CONTROL, 16);
        Libc.fcntl(master, Libc.F_SETFL, Libc.O_NONBLOCK);
        return master;
    }

    static void resize(int master, int columns, int rows) {
        Wire.putIntLittle(SIZE, 0, ((columns & 0xffff) << 16) | (rows & 0xffff));
        Wire.putIntLittle(SIZE, 4, 0);
        Libc.ioctl(master, Libc.TIOCSWINSZ, Address.ofData(SIZE));
    }
}
