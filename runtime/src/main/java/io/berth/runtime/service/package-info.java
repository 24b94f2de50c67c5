/** The gRPC services of the CRI: validate, find, delegate, map errors. */
@NullMarked
package io.berth.runtime.service;

import org.jspecify.annotations.NullMarked;
