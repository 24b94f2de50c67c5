/** The mode {@code container}: one container, its stdio, its processes and its end. */
@NullMarked
package io.berth.shim.container;

import org.jspecify.annotations.NullMarked;
