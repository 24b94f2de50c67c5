package io.berth.e2e.demo;

import java.time.Duration;
import java.util.function.Supplier;

/** Says what happens, as it happens. */
final class Narrator {
    private static final String GREEN = "\u001b[32m";
    private static final String FAINT = "\u001b[2m";
    private static final String PLAIN = "\u001b[0m";

    private final boolean color;

    Narrator(boolean color) {
        this.color = color;
    }

    /** A step and how long it took. */
    <T> T step(String what, Supplier<T> action) {
        long start = System.nanoTime();
        System.out.print(what + " ... ");
        System.out.flush();
        T result = action.get();
        System.out.println(in(GREEN, Duration.ofNanos(System.nanoTime() - start).toMillis() + " ms"));
        return result;
    }

    void step(String what, Runnable action) {
        step(what, () -> {
            action.run();
            return "";
        });
    }

    /** What came of the last step. */
    void detail(String text) {
        text.lines().forEach(line -> System.out.println(in(FAINT, "    " + line)));
    }

    private String in(String style, String text) {
        return color ? style + text + PLAIN : text;
    }
}
