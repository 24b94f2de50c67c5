/** Devices by the Container Device Interface: spec files of vendors, and what they change of a container. */
@NullMarked
package io.berth.runtime.cdi;

import org.jspecify.annotations.NullMarked;
