/** What the lifecycles of sandboxes and containers share: their errors, creations that callers join, undoing. */
@NullMarked
package io.berth.runtime.lifecycle;

import org.jspecify.annotations.NullMarked;
