package io.berth.runtime.lifecycle;

import java.util.Map;

/** CRI label selectors. */
public final class Labels {
    private Labels() {}

    /** Whether {@code labels} has every pair of {@code selector}; the empty selector matches all. */
    public static boolean match(Map<String, String> selector, Map<String, String> labels) {
        return labels.entrySet().containsAll(selector.entrySet());
    }
}
