/** The image store itself: pulls, layers that are shared, snapshots, removal and disk use. */
@NullMarked
package io.berth.imagestore.store;

import org.jspecify.annotations.NullMarked;
