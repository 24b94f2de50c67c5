package io.berth.imagestore.record;

/**
 * The record's file format: eight bytes that name it and its version, then one zstd stream of items, each a tag byte and
 * fields. Numbers are LEB128, signed ones zigzag first; bytes and text (ISO-8859-1) have their length before them. The last
 * item is {@link #END} with the number of items before it. What the whole file's SHA-256 must be is the database's to know.
 */
final class RecordFormat {
    static final byte[] MAGIC = {'b', 'e', 'r', 't', 'h', 'r', 'e', 1};

    static final int END = 0;
    static final int TAR = 1;
    static final int FILE = 2;
    static final int SYMLINK = 3;
    static final int NODE = 4;
    static final int HARD_LINK = 5;
    static final int DISPLACED = 6;
    static final int DIRECTORY = 7;
    static final int IMPLIED = 8;
    static final int WHITEOUT = 9;

    /** Of one field; the largest are values of extended headers. */
    static final int MAX_FIELD_BYTES = 2 << 20;

    private RecordFormat() {}
}
