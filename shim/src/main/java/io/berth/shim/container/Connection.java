package io.berth.shim.container;

import io.berth.shim.libc.EventLoop;
import io.berth.shim.libc.Libc;
import io.berth.shim.libc.Pages;
import io.berth.shim.libc.Source;
import io.berth.shim.libc.Text;
import io.berth.shim.wire.Wire;
import org.jspecify.annotations.Nullable;
import org.teavm.interop.Address;

/**
 * A client on the control socket. Its buffers are made when its slot of the table is used for the first time, and hold no
 * memory while nobody is connected.
 */
final class Connection extends Source {
    private static final int IN_BYTES = Wire.HEADER_BYTES + Wire.MAX_BODY_BYTES;
    /** What one read and, at the container's end, its full pipes hold. */
    private static final int OUT_BYTES = 256 * 1024;
    private static final int EPOLLRDHUP = 0x2000;
    private static final int MIN_ROOM = 4096;
    private static final Text ERROR_BODY = new Text(1 + Supervisor.MESSAGE_BYTES);
    private static final byte[] OPTION = new byte[4];

    private final Requests requests;
    private final EventLoop loop;
    private byte[] in = new byte[0];
    private byte[] out = new byte[0];
    private int inStart;
    private int inEnd;
    private int outStart;
    private int outEnd;
    /** Bytes of the STDIN frame at {@link #inStart} that its process has taken. */
    private int stdinTaken;
    private @Nullable Stdin stalledOn;
    private boolean closesWhenSent;
    private boolean greeted;
    private boolean watches;
    private boolean attached;
    private @Nullable Exec exec;

    Connection(Requests requests, EventLoop loop) {
        this.requests = requests;
        this.loop = loop;
    }

    void open(int fd) {
        if (in.length == 0) {
            in = Pages.allocate(IN_BYTES);
            out = Pages.allocate(OUT_BYTES);
        }
        inStart = 0;
        inEnd = 0;
        outStart = 0;
        outEnd = 0;
        stdinTaken = 0;
        stalledOn = null;
        closesWhenSent = false;
        greeted = false;
        watches = false;
        attached = false;
        exec = null;
        own(fd);
        if (!loop.watch(this, Libc.EPOLLIN)) {
            Libc.close(fd);
            own(-1);
        }
    }

    boolean watches() {
        return watches;
    }

    void setWatches() {
        watches = true;
    }

    boolean attached() {
        return attached;
    }

    void setAttached() {
        attached = true;
    }

    boolean greeted() {
        return greeted;
    }

    void setGreeted() {
        greeted = true;
    }

    @Nullable
    Exec exec() {
        return exec;
    }

    void setExec(@Nullable Exec newExec) { exec = newExec; }

    @Nullable
    Stdin stalledOn() {
        return stalledOn;
    }

    @Override
    public void ready(int events) {
        if ((events & Libc.EPOLLERR) != 0
                || (stalledOn != null && (events & (EPOLLRDHUP | Libc.EPOLLHUP)) != 0)) {
            hangUp();
            return;
        }
        if ((events & Libc.EPOLLOUT) != 0) {
            flush();
        }
        if (isOpen() && stalledOn == null && (events & (Libc.EPOLLIN | Libc.EPOLLHUP)) != 0) {
            receive();
        }
    }

    private void receive() {
        int n = Libc.read(fd(), Address.ofData(in).add(inEnd), in.length - inEnd);
        if (n <= 0) {
            if (n == 0 || (Libc.errno() != Libc.EAGAIN && Libc.errno() != Libc.EINTR)) {
                hangUp();
            }
            return;
        }
        inEnd += n;
        handleFrames();
    }

    /** The process reads again. */
    void resume() {
        stalledOn = null;
        handleFrames();
    }

    private void handleFrames() {
        while (isOpen() && !closesWhenSent && stalledOn == null && inEnd - inStart >= Wire.HEADER_BYTES) {
            int length = Wire.intAt(in, inStart) - 1;
            if (length < 0 || length > Wire.MAX_BODY_BYTES) {
                fail(Wire.ERROR_PROTOCOL, "a frame is empty or longer than 32 KiB");
                break;
            }
            if (inEnd - inStart < Wire.HEADER_BYTES + length) {
                break;
            }
            int type = in[inStart + 4];
            int body = inStart + Wire.HEADER_BYTES;
            if (type == Wire.STDIN) {
                if (!feed(body, length)) {
                    break;
                }
            } else {
                requests.handle(this, type, in, body, length);
            }
            inStart = body + length;
        }
        if (isOpen()) {
            compact();
            updateInterest();
        }
    }

    /** False where the process does not take it all now. */
    private boolean feed(int body, int length) {
        Stdin stdin = requests.stdinOf(this);
        if (stdin != null) {
            stdinTaken += stdin.write(in, body + stdinTaken, length - stdinTaken);
            if (stdinTaken < length) {
                stalledOn = stdin;
                return false;
            }
        }
        stdinTaken = 0;
        return true;
    }

    private void compact() {
        if (inStart > 0) {
            System.arraycopy(in, inStart, in, 0, inEnd - inStart);
            inEnd -= inStart;
            inStart = 0;
        }
    }

    private void updateInterest() {
        int interest = stalledOn == null && !closesWhenSent ? Libc.EPOLLIN : EPOLLRDHUP;
        loop.watch(this, outEnd > outStart ? interest | Libc.EPOLLOUT : interest);
    }

    /** Sends a frame; a client that does not read its replies is dropped. */
    void send(int type, byte[] body, int offset, int length) {
        if (!isOpen() || length < 0 || length > Wire.MAX_BODY_BYTES || offset > body.length - length) {
            return;
        }
        if (room() < length) {
            flush();
            if (!isOpen()) {
                return;
            }
            if (room() < length) {
                hangUp();
                return;
            }
        }
        System.arraycopy(body, offset, out, outEnd + Wire.HEADER_BYTES, length);
        commit(type, length);
        flush();
    }

    void send(int type) {
        send(type, out, 0, 0);
    }

    void error(int kind, Text text) {
        ERROR_BODY.clear().add((byte) kind).add(text);
        send(Wire.ERROR, ERROR_BODY.array(), 0, ERROR_BODY.length());
    }

    void error(int kind, String text) {
        ERROR_BODY.clear().add((byte) kind).add(text);
        send(Wire.ERROR, ERROR_BODY.array(), 0, ERROR_BODY.length());
    }

    /** Answers with an error and hangs up. */
    void fail(int kind, String text) {
        error(kind, text);
        closeWhenSent();
    }

    /** Where {@link #commit} expects a body of at most {@link #room} bytes. */
    byte[] body() {
        return out;
    }

    int bodyOffset() {
        return outEnd + Wire.HEADER_BYTES;
    }

    /** Bytes that a body may have now; 0 rather than very few. */
    int room() {
        if (outStart == outEnd) {
            outStart = 0;
            outEnd = 0;
        } else if (out.length - outEnd < MIN_ROOM + Wire.HEADER_BYTES && outStart > 0) {
            System.arraycopy(out, outStart, out, 0, outEnd - outStart);
            outEnd -= outStart;
            outStart = 0;
        }
        int room = out.length - outEnd - Wire.HEADER_BYTES;
        return room < MIN_ROOM ? 0 : Math.min(room, Wire.MAX_BODY_BYTES);
    }

    void commit(int type, int length) {
        Wire.putInt(out, outEnd, length + 1);
        out[outEnd + 4] = (byte) type;
        outEnd += Wire.HEADER_BYTES + length;
    }

    /** Writes what the client takes now. */
    void flush() {
        while (isOpen() && outStart < outEnd) {
            int n = Libc.write(fd(), Address.ofData(out).add(outStart), outEnd - outStart);
            if (n > 0) {
                outStart += n;
            } else if (n < 0 && Libc.errno() == Libc.EAGAIN) {
                break;
            } else if (n == 0 || Libc.errno() != Libc.EINTR) {
                hangUp();
                return;
            }
        }
        if (!isOpen()) {
            return;
        }
        if (outStart == outEnd && closesWhenSent) {
            hangUp();
            return;
        }
        updateInterest();
        Exec producer = exec;
        if (producer != null && outStart == outEnd) {
            producer.clientReads();
        }
    }

    /** Attached, and slower than the output. */
    boolean lags() {
        return isOpen() && attached && outStart < outEnd;
    }

    void closeWhenSent() {
        closesWhenSent = true;
        flush();
    }

    /** Lets a burst of output wait in the kernel rather than cost the client its connection. */
    void enlargeKernelBuffer(int bytes) {
        Wire.putIntLittle(OPTION, 0, bytes);
        Libc.setsockopt(fd(), Libc.SOL_SOCKET, Libc.SO_SNDBUFFORCE, Address.ofData(OPTION), OPTION.length);
    }

    void hangUp() {
        if (!isOpen()) {
            return;
        }
        close(loop);
        requests.disconnected(this);
        exec = null;
        Pages.release(in);
        Pages.release(out);
    }
}
