/** The Container Network Interface. */
@NullMarked
package io.berth.runtime.cni;

import org.jspecify.annotations.NullMarked;
