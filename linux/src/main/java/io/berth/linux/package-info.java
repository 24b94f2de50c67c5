/** The kernel, and nothing else: JNA direct mappings behind small safe wrappers. */
@NullMarked
package io.berth.linux;

import org.jspecify.annotations.NullMarked;
