/** Control groups: where a pod and a container live, and what they use. */
@NullMarked
package io.berth.runtime.cgroup;

import org.jspecify.annotations.NullMarked;
