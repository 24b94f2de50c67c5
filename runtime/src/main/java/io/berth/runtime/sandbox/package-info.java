/** Pod sandboxes. */
@NullMarked
package io.berth.runtime.sandbox;

import org.jspecify.annotations.NullMarked;
