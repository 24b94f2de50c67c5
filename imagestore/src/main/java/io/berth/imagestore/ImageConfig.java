package io.berth.imagestore;

import java.util.List;
import java.util.Map;

/**
 * The execution defaults of an image: the {@code config} object of the OCI image configuration. Empty string, list or
 * map where the image says nothing.
 *
 * @param user {@code user[:group]}, names or numbers
 * @param env {@code NAME=value} entries in order
 * @param stopSignal name or number, such as {@code SIGTERM}
 * @param volumes absolute paths of anonymous volumes
 */
public record ImageConfig(String os, String architecture, String variant, String user, List<String> env,
        List<String> entrypoint, List<String> cmd, String workingDir, String stopSignal, List<String> volumes,
        List<String> exposedPorts, Map<String, String> labels) {}
