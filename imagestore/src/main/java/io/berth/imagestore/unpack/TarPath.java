package io.berth.imagestore.unpack;

import io.berth.linux.RawPath;
import java.nio.charset.StandardCharsets;

/**
 * A relative path without empty, {@code .} and {@code ..} components; a leading slash is dropped, so it names something
 * below the layer's root or the root itself.
 *
 * @param text one character for each byte (ISO-8859-1), components joined by one slash, {@code ""} for the root
 */
record TarPath(String text) {
    static final TarPath ROOT = new TarPath("");

    /**
     * @param bytes as the archive has it
     * @throws IllegalArgumentException saying what is wrong with it
     */
    static TarPath of(byte[] bytes) {
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        if (text.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("it has a zero byte in its name");
        }
        if (isClean(text)) {
            return new TarPath(text);
        }
        StringBuilder clean = new StringBuilder(text.length());
        int start = 0;
        while (start <= text.length()) {
            int slash = text.indexOf('/', start);
            int end = slash < 0 ? text.length() : slash;
            String component = text.substring(start, end);
            if (component.equals("..")) {
                throw new IllegalArgumentException("its name has \"..\", which could lead out of the layer");
            }
            if (!component.isEmpty() && !component.equals(".")) {
                clean.append(clean.isEmpty() ? "" : "/").append(component);
            }
            start = end + 1;
        }
        return new TarPath(clean.toString());
    }

    boolean isRoot() { return text.isEmpty(); }

    /** The directory that holds it; the root's is the root. */
    TarPath parent() {
        int slash = text.lastIndexOf('/');
        return slash < 0 ? ROOT : new TarPath(text.substring(0, slash));
    }

    /** The last component, as characters. */
    String name() {
        return text.substring(text.lastIndexOf('/') + 1);
    }

    TarPath resolve(String name) {
        return new TarPath(isRoot() ? name : text + "/" + name);
    }

    /** Whether this is below {@code directory}. */
    boolean isBelow(TarPath directory) {
        return text.length() > directory.text.length() && text.startsWith(directory.text)
                && (directory.isRoot() || text.charAt(directory.text.length()) == '/');
    }

    /** The whole path for a system call; {@code .} for the root. */
    RawPath raw() {
        return raw(isRoot() ? "." : text);
    }

    /** Characters back to bytes. */
    static RawPath raw(String characters) {
        byte[] bytes = characters.getBytes(StandardCharsets.ISO_8859_1);
        return RawPath.of(bytes, 0, bytes.length);
    }

    /** For people. */
    @Override
    public String toString() {
        return isRoot()
                ? "./"
                : new String(text.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8);
    }

    /** The usual case at the cost of one scan: nothing to drop, nothing that starts with a dot. */
    private static boolean isClean(String text) {
        char before = '/';
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (before == '/' && (c == '/' || c == '.')) {
                return false;
            }
            before = c;
        }
        return before != '/';
    }
}
