/** What a log line looks like, and where it goes. */
@NullMarked
package io.berth.runtime.log;

import org.jspecify.annotations.NullMarked;
