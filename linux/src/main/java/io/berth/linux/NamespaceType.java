package io.berth.linux;

/** A kind of namespace. */
public enum NamespaceType {
    CGROUP("cgroup", 0x0200_0000), IPC("ipc", 0x0800_0000), MOUNT("mnt", 0x0002_0000), NETWORK("net",
            0x4000_0000), PID("pid",
                    0x2000_0000), TIME("time", 0x80), USER("user", 0x1000_0000), UTS("uts", 0x0400_0000);

    private final String file;
    private final int flag;

    NamespaceType(String file, int flag) {
        this.file = file;
        this.flag = flag;
    }

    /** The name in {@code /proc/PID/ns}. */
    public String file() {
        return file;
    }

    /** The {@code CLONE_NEW*} bit. */
    public int flag() {
        return flag;
    }
}
