/** What the lifecycles of sandboxes and containers share: errors, creations that callers join, undoing, ids, labels. */
@NullMarked
package io.berth.runtime.lifecycle;

import org.jspecify.annotations.NullMarked;
