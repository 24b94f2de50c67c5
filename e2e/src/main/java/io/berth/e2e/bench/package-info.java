/** Benchmarks over any CRI socket ({@code ./bench}). */
@NullMarked
package io.berth.e2e.bench;

import org.jspecify.annotations.NullMarked;
