package io.berth.runtime.sandbox;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.JsonFormat;
import io.berth.runtime.state.SandboxPhase;
import io.berth.runtime.state.SandboxRecord;

/** The {@code info} of a verbose {@code PodSandboxStatus}, with the names that operators know from other runtimes. */
public final class SandboxInfo {
    private static final ObjectMapper JSON = new ObjectMapper();

    private SandboxInfo() {}

    /** A JSON object; for people, its shape is no interface. */
    public static String json(SandboxRecord record)
            throws InvalidProtocolBufferException, JsonProcessingException {
        ObjectNode info = JSON.createObjectNode();
        info.put("pid", record.pause().map(SandboxRecord.Pause::pid).orElse(0L));
        info.put("processStatus", record.pause().isPresent() ? "running" : "none");
        info.put("netNamespaceClosed", record.phase() != SandboxPhase.READY);
        info.put("phase", record.phase().name());
        info.put("runtimeHandler", record.requestedHandler());
        info.put("runtimeType", record.runtime());
        info.put("cgroup", record.cgroup());
        ObjectNode namespaces = info.putObject("namespaces");
        record.namespaces().forEach((type, path) -> namespaces.put(type, path.toString()));
        ObjectNode files = info.putObject("files");
        record.files().forEach((name, path) -> files.put(name, path.toString()));
        info.set("config",
                JSON.readTree(JsonFormat.printer().preservingProtoFieldNames().print(record.config())));
        ObjectNode metadata = info.putObject("sandboxMetadata");
        metadata.put("id", record.id());
        metadata.put("name", record.nameKey());
        record.network().ifPresent(network -> metadata.put("ip", String.join(",", network.ips())));
        if (record.network().isPresent() && !record.network().get().resultJson().isEmpty()) {
            info.set("cniResult", JSON.readTree(record.network().get().resultJson()));
        }
        return JSON.writeValueAsString(info);
    }
}
