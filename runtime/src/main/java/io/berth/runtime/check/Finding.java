package io.berth.runtime.check;

/**
 * One thing that was looked at.
 *
 * @param area what it belongs to, such as {@code kernel}
 * @param name the thing, such as {@code overlayfs}
 * @param found what is there, in words
 * @param remedy how to get what is missing; empty where nothing is
 */
public record Finding(String area, String name, Verdict verdict, String found, String remedy) {
    /** How it stands. */
    public enum Verdict {
        /** As it should be. */
        OK,
        /** Berth runs, but something that pods may ask for will not work. */
        WARNING,
        /** Berth cannot run pods without it. */
        MISSING
    }

    static Finding ok(String area, String name, String found) {
        return new Finding(area, name, Verdict.OK, found, "");
    }

    static Finding warning(String area, String name, String found, String remedy) {
        return new Finding(area, name, Verdict.WARNING, found, remedy);
    }

    static Finding missing(String area, String name, String found, String remedy) {
        return new Finding(area, name, Verdict.MISSING, found, remedy);
    }
}
