/** Images made for tests: layers with everything a tar can hold, and the forms they are shipped in. */
@NullMarked
package io.berth.e2e.image;

import org.jspecify.annotations.NullMarked;
