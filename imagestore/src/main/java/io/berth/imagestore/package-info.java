/** The image store's public face: images, snapshots, and the errors of both. */
@NullMarked
package io.berth.imagestore;

import org.jspecify.annotations.NullMarked;
