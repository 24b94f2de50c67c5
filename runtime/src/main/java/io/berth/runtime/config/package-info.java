/** The daemon's configuration. */
@NullMarked
package io.berth.runtime.config;

import org.jspecify.annotations.NullMarked;
