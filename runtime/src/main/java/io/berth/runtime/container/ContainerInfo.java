package io.berth.runtime.container;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.util.JsonFormat;
import io.berth.runtime.state.ContainerPhase;
import io.berth.runtime.state.ContainerRecord;
import io.berth.runtime.state.Layout;
import java.io.IOException;
import java.nio.file.Files;

/** The {@code info} of a verbose {@code ContainerStatus}, with the names that operators know from other runtimes. */
public final class ContainerInfo {
    private static final ObjectMapper JSON = new ObjectMapper();

    private ContainerInfo() {}

    /** A JSON object; for people, its shape is no interface. Reads the container's bundle. */
    public static String json(ContainerRecord record, Layout layout) throws IOException {
        ObjectNode info = JSON.createObjectNode();
        info.put("sandboxID", record.sandboxId());
        info.put("pid", record.process().pid());
        info.put("shimPid", record.process().shimPid());
        info.put("removing", record.phase() == ContainerPhase.REMOVING);
        info.put("phase", record.phase().name());
        info.put("snapshotKey", record.id());
        info.put("snapshotter", "overlayfs");
        info.put("runtimeType", record.runtime());
        info.put("cgroupsPath", record.cgroupsPath());
        info.set("config",
                JSON.readTree(JsonFormat.printer().preservingProtoFieldNames().print(record.config())));
        if (Files.exists(layout.spec(record.id()))) {
            info.set("runtimeSpec", JSON.readTree(Files.readAllBytes(layout.spec(record.id()))));
        }
        return JSON.writeValueAsString(info);
    }
}
