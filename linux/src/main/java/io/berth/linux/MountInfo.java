package io.berth.linux;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * One line of {@code /proc/PID/mountinfo}, as of {@code proc_pid_mountinfo(5)}.
 *
 * @param id the mount's number
 * @param parentId the number of the mount that it is on
 * @param device {@code major:minor}
 * @param root which directory of the file system is mounted; for a namespace such as {@code net:[4026532008]}
 * @param mountPoint where, as seen from the process's root
 * @param options of this mount: {@code rw}, {@code nosuid}, ...
 * @param propagation tags: {@code shared:N}, {@code master:N}, {@code propagate_from:N}, {@code unbindable}
 * @param type the file system's type
 * @param source the device or what the file system calls its source
 * @param superOptions of the file system
 */
public record MountInfo(int id, int parentId, String device, String root, Path mountPoint,
        List<String> options,
        List<String> propagation, String type, String source, List<String> superOptions) {
    private static final int FIXED_FIELDS = 6;

    /**
     * Parses the lines of a mountinfo file.
     *
     * @throws IllegalArgumentException with the line that is none
     */
    public static List<MountInfo> parse(List<String> lines) {
        List<MountInfo> mounts = new ArrayList<>(lines.size());
        for (String line : lines) {
            mounts.add(parse(line));
        }
        return mounts;
    }

    static MountInfo parse(String line) {
        List<String> fields = List.of(line.split(" ", -1));
        // Tags end with a lone "-"; the six fields before them cannot be told apart by content.
        int dash = fields.size() < FIXED_FIELDS
                ? -1
                : fields.subList(FIXED_FIELDS, fields.size()).indexOf("-");
        int end = dash + FIXED_FIELDS;
        if (dash < 0 || fields.size() < end + 4) {
            throw new IllegalArgumentException("not a line of mountinfo: " + line);
        }
        try {
            return new MountInfo(Integer.parseInt(fields.get(0)), Integer.parseInt(fields.get(1)),
                    fields.get(2),
                    unescape(fields.get(3)), Path.of(unescape(fields.get(4))),
                    List.of(fields.get(5).split(",")), fields.subList(FIXED_FIELDS, end),
                    unescape(fields.get(end + 1)), unescape(fields.get(end + 2)),
                    List.of(fields.get(end + 3).split(",")));
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("not a line of mountinfo: " + line, e);
        }
    }

    /** The kernel writes space, tab, newline, backslash and (in sources) '#' as a backslash with three octal digits. */
    static String unescape(String field) {
        if (field.indexOf('\\') < 0) {
            return field;
        }
        byte[] in = field.getBytes(StandardCharsets.UTF_8);
        byte[] out = new byte[in.length];
        int length = 0;
        for (int i = 0; i < in.length; i++) {
            if (in[i] == '\\' && i + 3 < in.length && octal(in[i + 1]) && octal(in[i + 2])
                    && octal(in[i + 3])) {
                out[length++] = (byte) ((in[i + 1] - '0') << 6 | (in[i + 2] - '0') << 3 | (in[i + 3] - '0'));
                i += 3;
            } else {
                out[length++] = in[i];
            }
        }
        return new String(out, 0, length, StandardCharsets.UTF_8);
    }

    private static boolean octal(byte b) {
        return b >= '0' && b <= '7';
    }
}
