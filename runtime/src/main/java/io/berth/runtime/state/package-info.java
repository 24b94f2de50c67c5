/** What survives the daemon. */
@NullMarked
package io.berth.runtime.state;

import org.jspecify.annotations.NullMarked;
