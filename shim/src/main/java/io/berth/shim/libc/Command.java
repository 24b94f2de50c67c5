package io.berth.shim.libc;

import io.berth.shim.wire.Wire;
import org.teavm.interop.Address;

/** A command line under construction, and the child that runs it. */
public final class Command {
    private static final int MAX_ARGUMENTS = 256;
    private static final int POINTER_BYTES = 8;
    private static final int ARGUMENT_BYTES = 32 * 1024;

    /** The child's exit code where the command cannot be executed, as a shell has it. */
    public static final int CANNOT_EXECUTE = 127;

    private final Text bytes = new Text(ARGUMENT_BYTES);
    private final int[] starts = new int[MAX_ARGUMENTS];
    private final byte[] pointers = new byte[(MAX_ARGUMENTS + 1) * POINTER_BYTES];
    private int count;
    private boolean overflow;

    public Command clear() {
        bytes.clear();
        count = 0;
        overflow = false;
        return this;
    }

    /** Begins an argument and gives the text to append it to. */
    public Text argument() {
        if (count > 0) {
            bytes.add((byte) 0);
        }
        if (count >= MAX_ARGUMENTS) {
            overflow = true;
            return bytes;
        }
        starts[count++] = bytes.length();
        return bytes;
    }

    public Command argument(String ascii) {
        argument().add(ascii);
        return this;
    }

    /** False where the arguments were too many or too long. */
    public boolean fits() {
        return !overflow && !bytes.overflow() && count > 0;
    }

    /**
     * Forks and runs the command with the given stdio; the child dies with the supervisor, has default signal handling and
     * no other descriptors. Gives the pid, or a negated errno.
     */
    public int spawn(int stdin, int stdout, int stderr) {
        int parent = Libc.getpid();
        for (int i = 0; i < count; i++) {
            Wire.putLongLittle(pointers, i * POINTER_BYTES, bytes.address().add(starts[i]).toLong());
        }
        Wire.putLongLittle(pointers, count * POINTER_BYTES, 0);
        int pid = Libc.fork();
        if (pid != 0) {
            return pid < 0 ? -Libc.errno() : pid;
        }
        Libc.prctl(Libc.PR_SET_PDEATHSIG, Libc.SIGKILL, 0, 0, 0);
        if (Libc.getppid() != parent) {
            Libc.exitNow(CANNOT_EXECUTE);
        }
        Libc.dup2(stdin, 0);
        Libc.dup2(stdout, 1);
        Libc.dup2(stderr, 2);
        Libc.syscall(Libc.SYS_CLOSE_RANGE, 3, Integer.MAX_VALUE, 0);
        Signals.restore();
        Libc.execvp(bytes.address(), Address.ofData(pointers));
        Libc.exitNow(CANNOT_EXECUTE);
        return -1;
    }
}
