/** A node for tests: the processes of one, and what it must not leave behind. */
@NullMarked
package io.berth.e2e.node;

import org.jspecify.annotations.NullMarked;
