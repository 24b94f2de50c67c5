/** A pod's life, shown ({@code ./demo}). */
@NullMarked
package io.berth.e2e.demo;

import org.jspecify.annotations.NullMarked;
