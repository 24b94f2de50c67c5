/** OCI runtime specification and the OCI runtime CLI. */
@NullMarked
package io.berth.runtime.oci;

import org.jspecify.annotations.NullMarked;
