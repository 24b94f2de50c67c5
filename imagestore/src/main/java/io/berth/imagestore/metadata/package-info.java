/** What the image store knows about itself, durably: images, layers and snapshots in SQLite, whole in memory. */
@NullMarked
package io.berth.imagestore.metadata;

import org.jspecify.annotations.NullMarked;
