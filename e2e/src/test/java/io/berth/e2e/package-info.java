/**
 * Tests of a runtime through its CRI socket, as kubelet uses it, on a node of the test's own ({@code ./test}). Each
 * asserts what a container saw or what is on the node, not only what a call returned. They need root and namespaces of
 * their own; without them they fail.
 */
@NullMarked
package io.berth.e2e;

import org.jspecify.annotations.NullMarked;
