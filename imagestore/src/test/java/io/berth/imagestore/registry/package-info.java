@NullMarked
package io.berth.imagestore.registry;

import org.jspecify.annotations.NullMarked;
