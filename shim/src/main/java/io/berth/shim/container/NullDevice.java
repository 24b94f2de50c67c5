package io.berth.shim.container;

import io.berth.shim.libc.Libc;
import io.berth.shim.libc.Text;
import org.teavm.interop.Address;

/**
 * A null device of the shim's own, on a tmpfs that is mounted nowhere. The node's would be in the hands of each container that
 * has it as stdin: an OCI runtime gives what a process inherits to the user of that process (crun 1.8 does it with the null
 * device, too), and who owns a file may take it from everybody by its mode.
 */
final class NullDevice {
    private static final String NODES_OWN = "/dev/null";
    private static final int MODE = 0666;
    private static final int DEVICE = 0x103;
    /** Where SELinux is, processes of containers may use no other; elsewhere the kernel does not know the option. */
    private static final String CONTEXT = "system_u:object_r:null_device_t:s0";

    private NullDevice() {}

    /** Opens it for reading and writing; the node's where the kernel (before 5.2) or a lack of rights says no. */
    static int open() {
        int own = openOwn();
        return own >= 0
                ? own
                : Libc.open(new Text(16).add(NODES_OWN).address(), Libc.O_RDWR | Libc.O_CLOEXEC, 0);
    }

    private static int openOwn() {
        int context = (int) Libc.fsopen(Libc.SYS_FSOPEN, new Text(8).add("tmpfs").address(),
                Libc.FSOPEN_CLOEXEC);
        if (context < 0) {
            return -1;
        }
        int mount = mount(context);
        Libc.close(context);
        if (mount < 0) {
            return -1;
        }
        int device = make(mount);
        // What is open keeps the file system.
        Libc.close(mount);
        return device;
    }

    private static int mount(int context) {
        Text key = new Text(8).add("context");
        Text value = new Text(48).add(CONTEXT);
        Libc.fsconfig(Libc.SYS_FSCONFIG, context, Libc.FSCONFIG_SET_STRING, key.address(), value.address(),
                0);
        Address none = Address.fromLong(0);
        if (Libc.fsconfig(Libc.SYS_FSCONFIG, context, Libc.FSCONFIG_CMD_CREATE, none, none, 0) < 0) {
            return -1;
        }
        return (int) Libc.syscall(Libc.SYS_FSMOUNT, context, Libc.FSMOUNT_CLOEXEC,
                Libc.MOUNT_ATTR_NOSUID | Libc.MOUNT_ATTR_NOEXEC);
    }

    private static int make(int mount) {
        Text name = new Text(8).add("null");
        if (Libc.mknodat(mount, name.address(), Libc.S_IFCHR | MODE, DEVICE) < 0) {
            return -1;
        }
        int device = Libc.openat(mount, name.address(), Libc.O_RDWR | Libc.O_CLOEXEC, 0);
        if (device >= 0) {
            // The umask has taken a part of its mode.
            Libc.fchmod(device, MODE);
        }
        return device;
    }
}
