package io.berth.runtime.state;

import com.google.protobuf.InvalidProtocolBufferException;
import io.berth.cri.v1.ContainerConfig;
import io.berth.cri.v1.LinuxContainerResources;
import io.berth.cri.v1.LinuxContainerUser;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** Rows of table {@code container}. */
final class ContainerTable {
    private ContainerTable() {}

    static List<ContainerRecord> readAll(Connection connection) throws SQLException, StateException {
        List<ContainerRecord> records = new ArrayList<>();
        try (PreparedStatement select = connection.prepareStatement("SELECT * FROM container");
                ResultSet row = select.executeQuery()) {
            while (row.next()) {
                records.add(read(row));
            }
        }
        return records;
    }

    static void put(Connection connection, ContainerRecord record) throws SQLException {
        try (PreparedStatement insert = connection.prepareStatement(
                """
                    INSERT OR REPLACE INTO container (id, sandbox_id, phase, config, resources, image_id, image_digest,
                      image_name, runtime, cgroups_path, log_path, user, stop_signal, pid, shim_pid, created_at,
                      started_at, finished_at, exit_code, reason, message)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""")) {
            new Columns(insert).text(record.id()).text(record.sandboxId()).text(record.phase().name())
                    .blob(record.config().toByteArray()).blob(record.resources().toByteArray())
                    .text(record.image().id()).text(record.image().digestReference())
                    .text(record.image().name())
                    .text(record.runtime()).text(record.cgroupsPath()).text(record.logPath())
                    .blob(record.user().toByteArray()).number(record.stopSignal())
                    .number(record.process().pid()).number(record.process().shimPid())
                    .number(record.times().created()).number(record.times().started())
                    .number(record.times().finished()).number(record.end().exitCode())
                    .text(record.end().reason()).text(record.end().message());
            insert.executeUpdate();
        }
    }

    private static ContainerRecord read(ResultSet row) throws SQLException, StateException {
        String id = row.getString("id");
        try {
            return new ContainerRecord(id, row.getString("sandbox_id"),
                    ContainerPhase.valueOf(row.getString("phase")),
                    ContainerConfig.parseFrom(row.getBytes("config")),
                    LinuxContainerResources.parseFrom(row.getBytes("resources")),
                    new ContainerRecord.ImageRef(row.getString("image_id"), row.getString("image_digest"),
                            row.getString("image_name")),
                    row.getString("runtime"), row.getString("cgroups_path"), row.getString("log_path"),
                    LinuxContainerUser.parseFrom(row.getBytes("user")), row.getInt("stop_signal"),
                    new ContainerRecord.Processes(row.getLong("pid"), row.getLong("shim_pid")),
                    new ContainerRecord.Times(row.getLong("created_at"), row.getLong("started_at"),
                            row.getLong("finished_at")),
                    new ContainerRecord.End(row.getInt("exit_code"), row.getString("reason"),
                            row.getString("message")));
        } catch (InvalidProtocolBufferException | IllegalArgumentException e) {
            throw new StateException("the record of container " + id + " is damaged: " + e.getMessage(), e);
        }
    }
}
