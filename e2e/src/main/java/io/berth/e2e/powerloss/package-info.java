/** What runs in a virtual machine whose power is cut again and again: {@code ./test --vm --power-loss}. */
@NullMarked
package io.berth.e2e.powerloss;

import org.jspecify.annotations.NullMarked;
