/** Container events: who is told when a container or sandbox is created, started, stopped or deleted. */
@NullMarked
package io.berth.runtime.events;

import org.jspecify.annotations.NullMarked;
