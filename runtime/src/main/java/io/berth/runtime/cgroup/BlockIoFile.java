package io.berth.runtime.cgroup;

import io.berth.runtime.cgroup.CgroupDetail.DeviceIo;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The block devices that a cgroup has used, of {@code blkio.throttle.*} (version 1) or {@code io.stat} (version 2). */
final class BlockIoFile {
    private BlockIoFile() {}

    static List<DeviceIo> v1(Path cgroup) {
        Map<String, Map<String, Long>> devices = new TreeMap<>();
        collect(cgroup.resolve("blkio.throttle.io_service_bytes_recursive"), "bytes", devices);
        collect(cgroup.resolve("blkio.throttle.io_serviced_recursive"), "count", devices);
        return devices(devices, "Read bytes", "Write bytes", "Read count", "Write count");
    }

    static List<DeviceIo> v2(Path cgroup) {
        Map<String, Map<String, Long>> devices = new TreeMap<>();
        CgroupFiles.text(cgroup.resolve("io.stat")).stream().flatMap(String::lines).forEach(line -> {
            String[] fields = line.split(" ");
            for (int i = 1; i < fields.length; i++) {
                int equals = fields[i].indexOf('=');
                if (equals > 0) {
                    put(devices, fields[0], fields[i].substring(0, equals), fields[i].substring(equals + 1));
                }
            }
        });
        return devices(devices, "rbytes", "wbytes", "rios", "wios");
    }

    /** Lines of {@code major:minor operation value}, and a total. */
    private static void collect(Path file, String unit, Map<String, Map<String, Long>> devices) {
        CgroupFiles.text(file).stream().flatMap(String::lines).map(line -> line.split(" "))
                .filter(fields -> fields.length == 3)
                .forEach(fields -> put(devices, fields[0], fields[1] + " " + unit, fields[2]));
    }

    private static void put(Map<String, Map<String, Long>> devices, String device, String name,
            String value) {
        CgroupFiles.parse(value).ifPresent(
                number -> devices.computeIfAbsent(device, key -> new HashMap<>()).put(name, number));
    }

    private static List<DeviceIo> devices(Map<String, Map<String, Long>> devices, String readBytes,
            String writtenBytes, String reads, String writes) {
        List<DeviceIo> all = new ArrayList<>();
        devices.forEach((device, values) -> {
            int colon = device.indexOf(':');
            if (colon > 0) {
                all.add(new DeviceIo(Integer.parseInt(device.substring(0, colon)),
                        Integer.parseInt(device.substring(colon + 1)), values.getOrDefault(readBytes, 0L),
                        values.getOrDefault(writtenBytes, 0L), values.getOrDefault(reads, 0L),
                        values.getOrDefault(writes, 0L)));
            }
        });
        return all;
    }
}
