package io.berth.runtime.cni;

import java.util.List;

/**
 * @param ips the pod's addresses on its default interface, the primary one first
 * @param resultJson the last plugin's result, kept for DEL and CHECK
 * @param configJson the network configuration that ADD used, so that DEL uses the same after the file has changed
 */
public record CniResult(List<String> ips, String resultJson, String configJson) {}
