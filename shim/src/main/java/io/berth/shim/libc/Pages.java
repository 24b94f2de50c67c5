package io.berth.shim.libc;

import org.teavm.interop.Address;

/** Gives memory back. Java zeroes an array when it makes it and so touches every page; an idle supervisor should hold none of them. */
public final class Pages {
    private static final int PAGE_BYTES = 4096;
    private static final int LARGEST_PAGE_BYTES = 65536;

    private Pages() {}

    /** A new array whose pages are not resident before they are used. */
    public static byte[] allocate(int bytes) {
        byte[] array = new byte[bytes];
        release(array);
        return array;
    }

    /** Forgets the content of {@code array}, all but its ends, which share a page with others, and gives its pages back. */
    public static void release(byte[] array) {
        long start = Address.ofData(array).toLong();
        release(start, array.length, PAGE_BYTES);
        release(start, array.length, LARGEST_PAGE_BYTES);
    }

    /** Where the kernel's pages are larger it refuses an address that is not aligned to them, and does nothing. */
    private static void release(long start, int length, int page) {
        long from = (start + page - 1) / page * page;
        long to = (start + length) / page * page;
        if (to > from) {
            Libc.madvise(Address.fromLong(from), to - from, Libc.MADV_DONTNEED);
        }
    }
}
