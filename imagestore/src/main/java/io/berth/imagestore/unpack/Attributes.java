package io.berth.imagestore.unpack;

import io.berth.linux.Errno;
import io.berth.linux.LinuxException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Which extended attributes of an archive a layer takes over. */
final class Attributes {
    private static final Logger log = LoggerFactory.getLogger(Attributes.class);

    /** Sets one attribute. */
    @FunctionalInterface
    interface Setter {
        void set() throws LinuxException;
    }

    private Attributes() {}

    /**
     * Sets {@code name}, unless it speaks to the mount instead of the file (overlayfs' own could make it show files of
     * other directories), is the label of another machine's SELinux policy, or this file system has no such attributes.
     */
    static void set(String name, TarPath path, Setter setter) throws LinuxException {
        if (name.startsWith("trusted.overlay.") || name.startsWith("user.overlay.")
                || name.equals("security.selinux")) {
            return;
        }
        try {
            setter.set();
        } catch (LinuxException e) {
            if (e.errno() != Errno.EOPNOTSUPP) {
                throw e;
            }
            log.atDebug().addKeyValue("path", path).addKeyValue("attribute", name)
                    .log("the file system of the image store has no such extended attributes; left out");
        }
    }
}
