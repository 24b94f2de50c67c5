package io.berth.shim.libc;

import io.berth.shim.wire.Wire;
import org.teavm.interop.Address;

/**
 * Bytes under construction: a path, a command's argument, a message. It has a fixed capacity and remembers when it was
 * too small, so that a caller checks once, at the end. Always NUL-terminated.
 */
public final class Text {
    /** From here on untouched pages are worth a system call. */
    private static final int LARGE = 8 * 1024;

    private final byte[] bytes;
    private int length;
    private boolean overflow;

    public Text(int capacity) {
        bytes = capacity < LARGE ? new byte[capacity + 1] : Pages.allocate(capacity + 1);
    }

    public Text clear() {
        length = 0;
        overflow = false;
        bytes[0] = 0;
        return this;
    }

    /** Appends ASCII. */
    public Text add(String ascii) {
        for (int i = 0; i < ascii.length(); i++) {
            add((byte) ascii.charAt(i));
        }
        return this;
    }

    public Text add(byte value) {
        if (length + 1 >= bytes.length) {
            overflow = true;
            return this;
        }
        bytes[length++] = value;
        bytes[length] = 0;
        return this;
    }

    public Text add(byte[] from, int offset, int count) {
        if (count < 0 || offset < 0 || offset > from.length - count) {
            overflow = true;
            return this;
        }
        for (int i = 0; i < count; i++) {
            add(from[offset + i]);
        }
        return this;
    }

    public Text add(Text other) {
        return add(other.bytes, 0, other.length);
    }

    public Text addNumber(long value) {
        if (value < 0) {
            return add((byte) '-').addNumber(-value);
        }
        if (value >= 10) {
            addNumber(value / 10);
        }
        return add((byte) ('0' + (int) (value % 10)));
    }

    /** Appends what the kernel calls this error. */
    public Text addError(int errno) {
        Address message = Libc.strerror(errno);
        int count = Libc.strlen(message);
        for (int i = 0; i < count; i++) {
            add(message.add(i).getByte());
        }
        return this;
    }

    /** Appends what is left of a file from {@code offset}, as far as there is room; nothing where it cannot be read. */
    public Text addFile(int fd, long offset) {
        return added(Libc.pread(fd, address().add(length), room(), offset));
    }

    /** Appends what a pipe has now, as far as there is room. */
    public Text addFrom(int fd) {
        return added(Libc.read(fd, address().add(length), room()));
    }

    private Text added(int count) {
        if (count > 0) {
            length += count;
            bytes[length] = 0;
        }
        return this;
    }

    /** Bytes that may be added. */
    public int room() {
        return bytes.length - 1 - length;
    }

    public boolean overflow() {
        return overflow;
    }

    public int length() {
        return length;
    }

    public byte[] array() {
        return bytes;
    }

    /** Address of the NUL-terminated bytes, good until the next allocation. */
    public Address address() {
        return Address.ofData(bytes);
    }

    /** Leading decimal number, or -1. */
    public int number() {
        return Wire.decimal(bytes, 0, length);
    }
}
