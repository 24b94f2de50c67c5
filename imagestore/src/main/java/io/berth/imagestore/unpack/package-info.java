/**
 * From a layer's blob to the layer's directory in one pass: both digests, decompression, tar, files and overlayfs
 * whiteouts.
 */
@NullMarked
package io.berth.imagestore.unpack;

import org.jspecify.annotations.NullMarked;
