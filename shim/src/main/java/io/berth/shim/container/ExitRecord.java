package io.berth.shim.container;

import io.berth.shim.libc.Files;
import io.berth.shim.libc.Text;
import io.berth.shim.wire.Wire;

/** How a process ended, for the socket and for the exit file. */
final class ExitRecord {
    private static final int BODY_BYTES = 17;

    private final byte[] body = new byte[BODY_BYTES];
    private final Text text = new Text(128);
    private final Text file = new Text(16).add("exit");
    private final Text temporary = new Text(16).add(".exit");
    private boolean written;

    /** @param status as {@code waitpid} gives it */
    byte[] set(int status, boolean oomKilled, long nanos) {
        int code = Children.code(status);
        int signal = Children.signal(status);
        Wire.putInt(body, 0, code);
        Wire.putInt(body, 4, signal);
        body[8] = (byte) (oomKilled ? 1 : 0);
        Wire.putLong(body, 9, nanos);
        text.clear().add("code=").addNumber(code).add(" signal=").addNumber(signal).add(" oom=")
                .addNumber(oomKilled ? 1 : 0).add(" time=").addNumber(nanos).add("\n");
        return body;
    }

    /** The body of an EXIT frame. */
    byte[] body() {
        return body;
    }

    /** Writes the file once; what a full disk prevents is done by a later call. */
    void write() {
        if (!written) {
            written = Files.writeDurably(file, temporary, text) >= 0;
        }
    }
}
