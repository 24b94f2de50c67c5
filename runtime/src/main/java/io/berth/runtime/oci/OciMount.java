package io.berth.runtime.oci;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.berth.cri.v1.IDMapping;
import java.nio.file.Path;
import java.util.List;

/**
 * One entry of the OCI {@code mounts}.
 *
 * @param destination absolute and normalized, inside the container
 */
record OciMount(String type, String source, Path destination, List<String> options,
        List<IDMapping> uidMappings,
        List<IDMapping> gidMappings) {

    static OciMount of(String type, String source, String destination, String... options) {
        return new OciMount(type, source, Path.of(destination), List.of(options), List.of(), List.of());
    }

    ObjectNode json() {
        ObjectNode json = OciSpec.object();
        json.put("destination", destination.toString());
        json.put("type", type);
        json.put("source", source);
        json.set("options", OciSpec.strings(options));
        if (!uidMappings.isEmpty()) {
            NamespaceSection.addMappings(json, "uidMappings", uidMappings);
            NamespaceSection.addMappings(json, "gidMappings", gidMappings);
        }
        return json;
    }
}
