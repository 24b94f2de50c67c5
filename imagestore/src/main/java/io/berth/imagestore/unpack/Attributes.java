package io.berth.imagestore.unpack;

import io.berth.linux.Errno;
import io.berth.linux.LinuxException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Which extended attributes of an archive a layer takes over. */
final class Attributes {
    private static final Logger log = LoggerFactory.getLogger(Attributes.class);

    /** Sets one attribute of a file. */
    @FunctionalInterface
    interface Setter {
        void set(String name, byte[] value) throws LinuxException;
    }

    private Attributes() {}

    /**
     * Sets those of {@code entry}, but for what speaks to the mount instead of the file (overlayfs' own could make it show
     * files of other directories), is the label of another machine's SELinux policy, or this file system does not have.
     *
     * @return those that were set
     */
    static Map<String, byte[]> set(TarEntry entry, Setter setter) throws LinuxException {
        if (entry.xattrs().isEmpty()) {
            return Map.of();
        }
        Map<String, byte[]> set = new LinkedHashMap<>();
        for (Map.Entry<String, byte[]> xattr : entry.xattrs().entrySet()) {
            String name = xattr.getKey();
            if (name.startsWith("trusted.overlay.") || name.startsWith("user.overlay.")
                    || name.equals("security.selinux")) {
                continue;
            }
            try {
                setter.set(name, xattr.getValue());
                set.put(name, xattr.getValue());
            } catch (LinuxException e) {
                if (e.errno() != Errno.EOPNOTSUPP) {
                    throw e;
                }
                log.atDebug().addKeyValue("path", entry.path()).addKeyValue("attribute", name)
                        .log("the file system of the image store has no such extended attributes; left out");
            }
        }
        return set;
    }
}
