package io.berth.shim.libc;

import org.teavm.interop.Address;

/** Which signals arrive, and how. All of them are blocked: none interrupts, none has a handler. */
public final class Signals {
    /** Bytes of glibc's {@code sigset_t}. */
    private static final int SET_BYTES = 128;

    /** Bytes of {@code struct signalfd_siginfo}. */
    public static final int SIGINFO_BYTES = 128;

    private static final byte[] NONE = new byte[SET_BYTES];
    private static final byte[] SET = new byte[SET_BYTES];

    private Signals() {}

    /** Blocks every signal that can be. */
    public static void blockAll() {
        for (int i = 0; i < SET_BYTES; i++) {
            SET[i] = -1;
        }
        Libc.sigprocmask(Libc.SIG_SETMASK, Address.ofData(SET), Address.fromLong(0));
    }

    /** What a child must have before it executes another program. */
    public static void restore() {
        Libc.sigprocmask(Libc.SIG_SETMASK, Address.ofData(NONE), Address.fromLong(0));
    }

    /** A descriptor that is readable when a child has changed. */
    public static int childDescriptor() {
        clear();
        add(Libc.SIGCHLD);
        return Libc.signalfd(-1, Address.ofData(SET), Libc.O_NONBLOCK | Libc.O_CLOEXEC);
    }

    /** Waits for a child to change or for the order to end; gives the signal, or a value below 0. */
    public static int awaitChildOrEnd() {
        clear();
        add(Libc.SIGCHLD);
        add(Libc.SIGTERM);
        add(Libc.SIGINT);
        return Libc.sigwaitinfo(Address.ofData(SET), Address.fromLong(0));
    }

    private static void clear() {
        for (int i = 0; i < SET_BYTES; i++) {
            SET[i] = 0;
        }
    }

    private static void add(int signal) {
        SET[(signal - 1) / 8] |= (byte) (1 << ((signal - 1) % 8));
    }
}
