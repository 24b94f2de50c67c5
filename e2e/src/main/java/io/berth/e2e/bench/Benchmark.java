package io.berth.e2e.bench;

import java.util.Map;

/** One thing to measure. */
interface Benchmark {
    /** Its name on the command line. */
    String name();

    /** How often it is measured where the command line says nothing. */
    int defaultRuns();

    /** Runs before the measured ones. */
    int warmUps();

    /** Measures once. The keys end in their unit. */
    Map<String, Double> measure(Target target);

    /** Takes away what all runs have left with {@code target}. */
    default void finish(Target target) {}
}
