package io.berth.runtime.state;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.InvalidProtocolBufferException;
import io.berth.cri.v1.PodSandboxConfig;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Rows of table {@code sandbox}. */
final class SandboxTable {
    private static final ObjectMapper JSON = new ObjectMapper();

    private SandboxTable() {}

    static List<SandboxRecord> readAll(Connection connection) throws SQLException, StateException {
        List<SandboxRecord> records = new ArrayList<>();
        try (PreparedStatement select = connection.prepareStatement("SELECT * FROM sandbox");
                ResultSet row = select.executeQuery()) {
            while (row.next()) {
                records.add(read(row));
            }
        }
        return records;
    }

    static void put(Connection connection, SandboxRecord record) throws SQLException {
        try (PreparedStatement insert = connection.prepareStatement("""
            INSERT OR REPLACE INTO sandbox (id, phase, config, requested_handler, runtime, created_at, cgroup,
              namespaces, files, cni_ips, cni_result, cni_config, pause_pid, pause_start, selinux_level)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""")) {
            Columns columns = new Columns(insert);
            columns.text(record.id()).text(record.phase().name()).blob(record.config().toByteArray())
                    .text(record.requestedHandler()).text(record.runtime()).number(record.createdAtNanos())
                    .text(record.cgroup()).text(json(strings(record.namespaces())))
                    .text(json(strings(record.files())));
            SandboxRecord.@Nullable Attachment network = record.network().orElse(null);
            columns.text(network == null ? null : json(network.ips()))
                    .text(network == null ? null : network.resultJson())
                    .text(network == null ? null : network.configJson());
            SandboxRecord.@Nullable Pause pause = record.pause().orElse(null);
            columns.number(pause == null ? null : pause.pid())
                    .number(pause == null ? null : pause.startTicks()).text(record.selinuxLevel());
            insert.executeUpdate();
        }
    }

    private static SandboxRecord read(ResultSet row) throws SQLException, StateException {
        String id = row.getString("id");
        try {
            @Nullable
            String ips = row.getString("cni_ips");
            Optional<SandboxRecord.Attachment> network = ips == null
                    ? Optional.empty()
                    : Optional.of(new SandboxRecord.Attachment(
                            JSON.readValue(ips, new TypeReference<List<String>>() {
                            }),
                            row.getString("cni_result"), row.getString("cni_config")));
            long pid = row.getLong("pause_pid");
            Optional<SandboxRecord.Pause> pause = row.wasNull()
                    ? Optional.empty()
                    : Optional.of(new SandboxRecord.Pause(pid, row.getLong("pause_start")));
            return new SandboxRecord(id, SandboxPhase.valueOf(row.getString("phase")),
                    PodSandboxConfig.parseFrom(row.getBytes("config")), row.getString("requested_handler"),
                    row.getString("runtime"), row.getLong("created_at"), row.getString("cgroup"),
                    paths(row.getString("namespaces")), paths(row.getString("files")), network, pause,
                    row.getString("selinux_level"));
        } catch (InvalidProtocolBufferException | JsonProcessingException | IllegalArgumentException e) {
            throw new StateException("the record of sandbox " + id + " is damaged: " + e.getMessage(), e);
        }
    }

    private static Map<String, String> strings(Map<String, Path> paths) {
        Map<String, String> strings = new TreeMap<>();
        paths.forEach((name, path) -> strings.put(name, path.toString()));
        return strings;
    }

    private static Map<String, Path> paths(String json) throws JsonProcessingException {
        Map<String, Path> paths = new TreeMap<>();
        JSON.readValue(json, new TypeReference<Map<String, String>>() {
        })
                .forEach((name, path) -> paths.put(name, Path.of(path)));
        return Map.copyOf(paths);
    }

    private static String json(Object value) {
        try {
            return JSON.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a map of strings is always JSON", e);
        }
    }
}
