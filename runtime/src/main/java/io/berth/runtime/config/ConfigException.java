package io.berth.runtime.config;

import java.util.List;

/** The configuration cannot be used. It holds every problem that was found, so that one look mends them all. */
public final class ConfigException extends Exception {
    private static final long serialVersionUID = 1;

    private final List<String> problems;

    ConfigException(List<String> problems) {
        super(String.join("\n", problems));
        this.problems = List.copyOf(problems);
    }

    /** One line each: where ({@code file:line:column}, variable or flag), which key, what is wrong, what is right. */
    public List<String> problems() {
        return problems;
    }
}
