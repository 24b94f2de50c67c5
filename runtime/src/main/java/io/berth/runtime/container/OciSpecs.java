package io.berth.runtime.container;

import io.berth.cri.v1.LinuxContainerResources;
import io.berth.runtime.oci.OciException;
import io.berth.runtime.oci.SpecInput;

/** Turns CRI messages into OCI JSON; a pure function of its input, the root filesystem's passwd files and the node. */
public interface OciSpecs {
    /** The whole {@code config.json}. */
    byte[] spec(SpecInput input) throws OciException;

    /** The {@code linux.resources} object that {@code update} takes; what {@code resources} leaves at zero is absent. */
    byte[] resources(LinuxContainerResources resources) throws OciException;
}
