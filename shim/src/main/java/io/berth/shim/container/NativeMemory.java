package io.berth.shim.container;

import io.berth.shim.libc.Libc;
import io.berth.shim.log.Memory;
import org.teavm.interop.Address;

/** The C library's vectorized loops, behind the bound check that Java would make. */
final class NativeMemory implements Memory {
    @Override
    public int lineFeed(byte[] bytes, int from, int to) {
        if (from < 0 || from >= to || to > bytes.length) {
            return -1;
        }
        Address start = Address.ofData(bytes);
        Address found = Libc.memchr(start.add(from), '\n', to - from);
        return found.toLong() == 0 ? -1 : (int) (found.toLong() - start.toLong());
    }

    @Override
    public void copy(byte[] from, int fromOffset, byte[] to, int toOffset, int count) {
        if (count < 0 || fromOffset < 0 || toOffset < 0 || fromOffset > from.length - count
                || toOffset > to.length - count) {
            Libc.exitNow(Supervisor.EXIT_BUG);
        }
        Libc.memcpy(Address.ofData(to).add(toOffset), Address.ofData(from).add(fromOffset), count);
    }
}
