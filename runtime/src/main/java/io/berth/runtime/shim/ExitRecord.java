package io.berth.runtime.shim;

import java.time.Instant;

/**
 * How a container ended.
 *
 * @param code exit code; 128+signal where a signal ended it
 * @param signal the signal, or 0
 * @param oomKilled the kernel's OOM killer ended a process of its cgroup
 * @param known false where the shim was lost and nobody saw the exit
 */
public record ExitRecord(int code, int signal, boolean oomKilled, Instant at, boolean known) {}
