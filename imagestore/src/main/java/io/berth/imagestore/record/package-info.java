/**
 * What is recorded of a layer when it is unpacked: enough to verify every file of it, and to make its tar again to the bit.
 */
@NullMarked
package io.berth.imagestore.record;

import org.jspecify.annotations.NullMarked;
