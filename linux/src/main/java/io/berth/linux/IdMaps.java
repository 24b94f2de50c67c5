package io.berth.linux;

import java.util.List;

/**
 * What the IDs of a user namespace are outside of it (user_namespaces(7)).
 *
 * @param users ranges of user IDs, which do not overlap
 * @param groups ranges of group IDs, which do not overlap
 */
public record IdMaps(List<Range> users, List<Range> groups) {
    /** What the kernel shows in place of an ID that has none on the other side. */
    public static final int OVERFLOW = 65_534;

    public IdMaps {
        users = List.copyOf(users);
        groups = List.copyOf(groups);
    }

    /** {@code length} IDs that begin with {@code inside} in the namespace and with {@code outside} in its parent. */
    public record Range(long inside, long outside, long length) {}

    /** The user outside that {@code inside} is; {@link #OVERFLOW} where it is nobody. */
    public int user(int inside) {
        return outside(users, inside);
    }

    /** The group outside that {@code inside} is; {@link #OVERFLOW} where it is nobody. */
    public int group(int inside) {
        return outside(groups, inside);
    }

    /** {@code ranges} as {@code /proc/PID/uid_map} takes them. */
    public static String text(List<Range> ranges) {
        StringBuilder text = new StringBuilder();
        for (Range range : ranges) {
            text.append(range.inside()).append(' ').append(range.outside()).append(' ').append(range.length())
                    .append('\n');
        }
        return text.toString();
    }

    private static int outside(List<Range> ranges, int id) {
        long inside = Integer.toUnsignedLong(id);
        for (Range range : ranges) {
            if (inside >= range.inside() && inside - range.inside() < range.length()) {
                return (int) (range.outside() + inside - range.inside());
            }
        }
        return OVERFLOW;
    }
}
