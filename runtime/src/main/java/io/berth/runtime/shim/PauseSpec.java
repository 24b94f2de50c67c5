package io.berth.runtime.shim;

import java.nio.file.Path;
import java.util.List;

/**
 * @param directory for its pid file
 * @param joinNamespaces paths of namespace files to join first (ipc, uts, net, user)
 * @param cgroupProcs files ({@code cgroup.procs}) to enter, one for each hierarchy
 */
public record PauseSpec(Path directory, List<Path> joinNamespaces, List<Path> cgroupProcs) {}
