package io.berth.runtime.state;

/** What a write has survived once it is acknowledged. */
public enum Durability {
    /** The end of the daemon at any moment: the kernel has the data. */
    DAEMON_CRASH,
    /** The loss of power: the disk has the data. Costs a flush of the disk's cache. */
    POWER_LOSS
}
