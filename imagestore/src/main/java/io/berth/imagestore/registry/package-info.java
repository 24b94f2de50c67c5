/** References and registries: naming images, resolving them to manifests, and streaming their blobs. */
@NullMarked
package io.berth.imagestore.registry;

import org.jspecify.annotations.NullMarked;
