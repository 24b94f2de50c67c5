/** Images in files: OCI layouts, OCI archives and docker-archives, read like a registry. */
@NullMarked
package io.berth.imagestore.archive;

import org.jspecify.annotations.NullMarked;
