/** What pods and containers use, as CRI statistics and as CRI metrics; read from cgroup, proc and namespace files. */
@NullMarked
package io.berth.runtime.stats;

import org.jspecify.annotations.NullMarked;
