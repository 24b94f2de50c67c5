/** Berth's own gRPC service, for its command line. */
@NullMarked
package io.berth.runtime.admin;

import org.jspecify.annotations.NullMarked;
