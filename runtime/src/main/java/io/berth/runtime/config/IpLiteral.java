package io.berth.runtime.config;

import java.net.InetAddress;

/** An IP address as a value: a name would be resolved later, by whoever answers then. */
final class IpLiteral {
    static final ValueType<String> TYPE = ValueType.text("an IP address", IpLiteral::check);

    private IpLiteral() {}

    private static String check(String text) {
        try {
            return InetAddress.ofLiteral(text).getHostAddress();
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("it is \"" + text + "\"", e);
        }
    }
}
