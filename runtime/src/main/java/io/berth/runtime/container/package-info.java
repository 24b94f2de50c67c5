/** Containers. */
@NullMarked
package io.berth.runtime.container;

import org.jspecify.annotations.NullMarked;
