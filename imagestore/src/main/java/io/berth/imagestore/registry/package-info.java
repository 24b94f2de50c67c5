/** Where images come from: references, manifests, and the registries that hold them. */
@NullMarked
package io.berth.imagestore.registry;

import org.jspecify.annotations.NullMarked;
