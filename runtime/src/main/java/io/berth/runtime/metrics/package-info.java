/** Timers and counters, and their Prometheus endpoint. */
@NullMarked
package io.berth.runtime.metrics;

import org.jspecify.annotations.NullMarked;
