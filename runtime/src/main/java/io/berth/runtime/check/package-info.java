/** What a node needs for Berth, whether this one has it, and how to get what it lacks. */
@NullMarked
package io.berth.runtime.check;

import org.jspecify.annotations.NullMarked;
