package io.berth.imagestore.record;

import io.berth.imagestore.record.RecordItem.Attributes;
import io.berth.linux.Fd;
import io.berth.linux.LinuxException;
import io.berth.linux.Openat;
import io.berth.linux.Stat;
import io.berth.linux.Xattr;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Compares what a file has with what it was given. */
final class AttributeCheck {
    private static final String OPAQUE = "trusted.overlay.opaque";
    private static final Attributes IMPLIED = new Attributes(0755, 0, 0, 0, 0, Map.of());

    private final LayerTree tree;
    private final Consumer<Difference> sink;

    AttributeCheck(LayerTree tree, Consumer<Difference> sink) {
        this.tree = tree;
        this.sink = sink;
    }

    /** Whether the content can be compared. */
    boolean file(RecordItem.File file, Stat stat) throws LinuxException {
        if (!isType(file.path(), stat, Openat.S_IFREG, 0, 0)) {
            return false;
        }
        mode(file.path(), stat, file.attributes());
        rest(file.path(), stat, file.attributes(), file.attributes().xattrs());
        if (stat.size() != file.size()) {
            differs(file.path(), "has " + stat.size() + " bytes, recorded " + file.size());
            return false;
        }
        return true;
    }

    void symlink(RecordItem.Symlink link, Stat stat) throws LinuxException {
        if (!isType(link.path(), stat, Openat.S_IFLNK, 0, 0)) {
            return;
        }
        String target = new String(Openat.readlink(tree.parentOf(link.path()),
                LayerTree.nameOf(link.path())).toBytes(), StandardCharsets.ISO_8859_1);
        if (!target.equals(link.target())) {
            differs(link.path(), "is a link to " + text(target) + ", recorded " + text(link.target()));
        }
        rest(link.path(), stat, link.attributes(), link.attributes().xattrs());
    }

    void node(RecordItem.Node node, Stat stat) throws LinuxException {
        if (isType(node.path(), stat, node.type(), node.major(), node.minor())) {
            mode(node.path(), stat, node.attributes());
            rest(node.path(), stat, node.attributes(), node.attributes().xattrs());
        }
    }

    /** @param recorded null for a directory that is only implied */
    void directory(String path, Stat stat, @Nullable Attributes recorded, boolean opaque)
            throws LinuxException {
        if (!isType(path, stat, Openat.S_IFDIR, 0, 0)) {
            return;
        }
        Attributes attributes = recorded == null ? IMPLIED : recorded;
        Map<String, byte[]> xattrs = new HashMap<>(attributes.xattrs());
        if (opaque) {
            xattrs.put(OPAQUE, new byte[]{'y'});
        }
        mode(path, stat, attributes);
        owner(path, stat, attributes);
        if (recorded != null) {
            time(path, stat, attributes);
        }
        xattrs(path, xattrs);
    }

    boolean isType(String path, Stat stat, int type, int major, int minor) {
        if (stat.type() != type) {
            differs(path, "is " + name(stat.type()) + ", recorded as " + name(type));
            return false;
        }
        boolean device = type == Openat.S_IFCHR || type == Openat.S_IFBLK;
        if (device && (stat.rdevMajor() != major || stat.rdevMinor() != minor)) {
            differs(path, "is device " + stat.rdevMajor() + ":" + stat.rdevMinor() + ", recorded " + major
                    + ":" + minor);
            return false;
        }
        return true;
    }

    private void rest(String path, Stat stat, Attributes recorded, Map<String, byte[]> xattrs)
            throws LinuxException {
        owner(path, stat, recorded);
        time(path, stat, recorded);
        xattrs(path, xattrs);
    }

    private void mode(String path, Stat stat, Attributes recorded) {
        if (stat.permissions() != recorded.mode()) {
            differs(path, "mode is %04o, recorded %04o".formatted(stat.permissions(), recorded.mode()));
        }
    }

    private void owner(String path, Stat stat, Attributes recorded) {
        if (stat.uid() != recorded.uid() || stat.gid() != recorded.gid()) {
            differs(path, "owner is " + Integer.toUnsignedString(stat.uid()) + ":"
                    + Integer.toUnsignedString(stat.gid()) + ", recorded "
                    + Integer.toUnsignedString(recorded.uid()) + ":"
                    + Integer.toUnsignedString(recorded.gid()));
        }
    }

    private void time(String path, Stat stat, Attributes recorded) {
        if (stat.modifiedSeconds() != recorded.modifiedSeconds()
                || stat.modifiedNanos() != recorded.modifiedNanos()) {
            differs(path, "modified at " + instant(stat.modifiedSeconds(), stat.modifiedNanos())
                    + ", recorded " + instant(recorded.modifiedSeconds(), recorded.modifiedNanos()));
        }
    }

    private void xattrs(String path, Map<String, byte[]> recorded) throws LinuxException {
        Fd parent = tree.parentOf(path);
        for (String name : Xattr.list(parent, LayerTree.nameOf(path))) {
            if (!recorded.containsKey(name) && !isTheNodes(name)) {
                differs(path, "has the attribute " + name + ", which is not recorded");
            }
        }
        for (Map.Entry<String, byte[]> xattr : recorded.entrySet()) {
            byte[] found = Xattr.get(parent, LayerTree.nameOf(path), xattr.getKey());
            if (!Arrays.equals(found, xattr.getValue())) {
                differs(path, found == null
                        ? "lacks the attribute " + xattr.getKey()
                        : "the attribute " + xattr.getKey() + " has another value");
            }
        }
    }

    /** Labels and signatures that the node's own security modules give to files. */
    private static boolean isTheNodes(String name) {
        return name.equals("security.selinux") || name.equals("security.ima")
                || name.equals("security.evm");
    }

    private void differs(String path, String what) {
        sink.accept(Difference.at(path, what));
    }

    private static String instant(long seconds, int nanos) {
        return seconds + (nanos == 0 ? "" : ".%09d".formatted(nanos));
    }

    private static String text(String bytes) {
        return new String(bytes.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8);
    }

    private static String name(int type) {
        return switch (type) {
            case Openat.S_IFREG -> "a file";
            case Openat.S_IFDIR -> "a directory";
            case Openat.S_IFLNK -> "a symbolic link";
            case Openat.S_IFCHR -> "a character device";
            case Openat.S_IFBLK -> "a block device";
            case Openat.S_IFIFO -> "a FIFO";
            default -> "a socket";
        };
    }
}
