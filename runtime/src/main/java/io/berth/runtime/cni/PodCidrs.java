package io.berth.runtime.cni;

import java.net.Inet4Address;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;

/**
 * The address ranges of a node's pods, as kubelet tells them: one, or one of each family.
 *
 * @param ranges in CIDR notation, the primary one first; empty for none
 */
record PodCidrs(List<String> ranges) {
    /**
     * Parses a list separated by commas.
     *
     * @throws IllegalArgumentException saying which part is no CIDR, or that a family comes twice
     */
    static PodCidrs parse(String text) {
        List<String> ranges = new ArrayList<>();
        List<Boolean> families = new ArrayList<>();
        for (String part : text.isBlank() ? new String[0] : text.split(",", -1)) {
            String range = part.strip();
            boolean v4 = isV4(range);
            if (families.contains(v4)) {
                throw new IllegalArgumentException("\"" + text + "\" has two ranges of one address family");
            }
            families.add(v4);
            ranges.add(range);
        }
        return new PodCidrs(List.copyOf(ranges));
    }

    /** A route to everywhere for each family, in the order of the ranges. */
    List<String> routes() {
        return ranges.stream().map(range -> isV4(range) ? "0.0.0.0/0" : "::/0").toList();
    }

    private static boolean isV4(String range) {
        int slash = range.indexOf('/');
        String address = slash < 0 ? "" : range.substring(0, slash);
        String length = range.substring(slash + 1);
        if (!address.matches("[0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*")
                || !length.matches("[0-9]{1,3}")) {
            throw noCidr(range);
        }
        InetAddress parsed;
        try {
            parsed = InetAddress.ofLiteral(address);
        } catch (IllegalArgumentException e) {
            throw noCidr(range);
        }
        boolean v4 = parsed instanceof Inet4Address;
        if (Integer.parseInt(length) > (v4 ? 32 : 128)) {
            throw noCidr(range);
        }
        return v4;
    }

    private static IllegalArgumentException noCidr(String range) {
        return new IllegalArgumentException(
                "\"" + range + "\" is no range of addresses such as 10.244.1.0/24 or fd00:10:244:1::/64");
    }
}
