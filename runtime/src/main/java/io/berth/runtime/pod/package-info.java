/** What concerns a sandbox and its containers together: checkpoints of whole pods. */
@NullMarked
package io.berth.runtime.pod;

import org.jspecify.annotations.NullMarked;
