package io.berth.linux;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A system call that failed: which call, on which path or object, with which errno. */
public final class LinuxException extends IOException {
    private static final long serialVersionUID = 1;

    private final String call;
    private final @Nullable String subject;
    private final int number;

    /**
     * @param call the system call's name, such as {@code mount}
     * @param subject the path, or what else the call was about; null where there is nothing to name
     * @param number the errno
     */
    public LinuxException(String call, @Nullable String subject, int number) {
        super(message(call, subject, number));
        this.call = call;
        this.subject = subject;
        this.number = number;
    }

    private static String message(String call, @Nullable String subject, int number) {
        Errno errno = Errno.of(number);
        String name = errno == Errno.OTHER ? "errno " + number : errno.name();
        return subject == null ? call + ": " + name : call + " " + subject + ": " + name;
    }

    /** The system call's name. */
    public String call() {
        return call;
    }

    /** The path or object of the call, if it had one. */
    public @Nullable String subject() {
        return subject;
    }

    /** The error as a constant. */
    public Errno errno() {
        return Errno.of(number);
    }

    /** The error as the kernel's number. */
    public int number() {
        return number;
    }
}
