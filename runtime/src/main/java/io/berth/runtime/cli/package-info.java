/** The command line. */
@NullMarked
package io.berth.runtime.cli;

import org.jspecify.annotations.NullMarked;
