package io.berth.runtime.container;

import io.berth.cri.v1.Signal;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/** Stop signals: the CRI's enum, the image's words, the kernel's numbers (those that x86-64 and arm64 share). */
final class StopSignals {
    static final int SIGKILL = 9;
    static final int SIGTERM = 15;
    private static final int SIGRTMIN = 34;
    private static final int SIGRTMAX = 64;
    private static final Map<String, Integer> NUMBERS = Map.ofEntries(Map.entry("HUP", 1),
            Map.entry("INT", 2),
            Map.entry("QUIT", 3), Map.entry("ILL", 4), Map.entry("TRAP", 5), Map.entry("ABRT", 6),
            Map.entry("IOT", 6), Map.entry("BUS", 7), Map.entry("FPE", 8), Map.entry("KILL", 9),
            Map.entry("USR1", 10), Map.entry("SEGV", 11), Map.entry("USR2", 12), Map.entry("PIPE", 13),
            Map.entry("ALRM", 14), Map.entry("TERM", 15), Map.entry("STKFLT", 16), Map.entry("CHLD", 17),
            Map.entry("CLD", 17), Map.entry("CONT", 18), Map.entry("STOP", 19), Map.entry("TSTP", 20),
            Map.entry("TTIN", 21), Map.entry("TTOU", 22), Map.entry("URG", 23), Map.entry("XCPU", 24),
            Map.entry("XFSZ", 25), Map.entry("VTALRM", 26), Map.entry("PROF", 27), Map.entry("WINCH", 28),
            Map.entry("IO", 29), Map.entry("POLL", 29), Map.entry("PWR", 30), Map.entry("SYS", 31));

    private StopSignals() {}

    /** The number for the request's signal, else the image's, else SIGTERM; what is not a signal counts as absent. */
    static int effective(Signal requested, String ofImage) {
        if (requested != Signal.SIGNAL_RUNTIME_DEFAULT && requested != Signal.UNRECOGNIZED) {
            return number(requested.name().substring("SIGNAL_".length())).orElse(SIGTERM);
        }
        return number(ofImage).orElse(SIGTERM);
    }

    /** The CRI's constant for a number. */
    static Signal cri(int number) {
        for (Signal signal : Signal.values()) {
            if (signal != Signal.UNRECOGNIZED && signal != Signal.SIGNAL_RUNTIME_DEFAULT
                    && number(signal.name().substring("SIGNAL_".length())).orElse(0) == number) {
                return signal;
            }
        }
        return Signal.SIGNAL_RUNTIME_DEFAULT;
    }

    /** {@code SIGTERM}, {@code TERM}, {@code 15}, {@code SIGRTMIN+3}, {@code SIGRTMINPLUS3}. */
    static OptionalInt number(String word) {
        String name = word.strip().toUpperCase(Locale.ROOT);
        if (name.matches("\\d{1,2}")) {
            return inRange(Integer.parseInt(name));
        }
        name = name.startsWith("SIG") ? name.substring(3) : name;
        @Nullable
        Integer number = NUMBERS.get(name);
        if (number != null) {
            return OptionalInt.of(number);
        }
        String realTime = name.replace("PLUS", "+").replace("MINUS", "-");
        if (realTime.matches("RTMIN(\\+\\d{1,2})?")) {
            return inRange(SIGRTMIN + offset(realTime, "RTMIN"));
        }
        if (realTime.matches("RTMAX(-\\d{1,2})?")) {
            return inRange(SIGRTMAX + offset(realTime, "RTMAX"));
        }
        return OptionalInt.empty();
    }

    private static int offset(String name, String base) {
        return name.length() == base.length() ? 0 : Integer.parseInt(name.substring(base.length()));
    }

    private static OptionalInt inRange(int number) {
        return number >= 1 && number <= SIGRTMAX ? OptionalInt.of(number) : OptionalInt.empty();
    }
}
