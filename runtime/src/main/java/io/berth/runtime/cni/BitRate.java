package io.berth.runtime.cni;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** A bandwidth annotation: a Kubernetes quantity of bits per second, between 1k and 1P as Kubernetes allows. */
final class BitRate {
    private static final Pattern QUANTITY = Pattern
            .compile("(\\d+(?:\\.\\d*)?|\\.\\d+)(?:([kMGTPE]i?|Ki|m)|[eE]([+-]?\\d{1,2}))?");
    private static final Map<String, BigDecimal> SUFFIXES = Map.ofEntries(
            Map.entry("m", new BigDecimal("0.001")),
            Map.entry("k", BigDecimal.TEN.pow(3)), Map.entry("M", BigDecimal.TEN.pow(6)),
            Map.entry("G", BigDecimal.TEN.pow(9)), Map.entry("T", BigDecimal.TEN.pow(12)),
            Map.entry("P", BigDecimal.TEN.pow(15)), Map.entry("E", BigDecimal.TEN.pow(18)),
            Map.entry("Ki", BigDecimal.valueOf(1L << 10)), Map.entry("Mi", BigDecimal.valueOf(1L << 20)),
            Map.entry("Gi", BigDecimal.valueOf(1L << 30)), Map.entry("Ti", BigDecimal.valueOf(1L << 40)),
            Map.entry("Pi", BigDecimal.valueOf(1L << 50)), Map.entry("Ei", BigDecimal.valueOf(1L << 60)));
    private static final BigDecimal LEAST = BigDecimal.TEN.pow(3);
    private static final BigDecimal MOST = BigDecimal.TEN.pow(15);

    private BitRate() {}

    /**
     * @param annotation its name, for the error
     * @throws CniException where {@code value} is no such quantity
     */
    static long parse(String annotation, String value) throws CniException {
        Matcher matcher = QUANTITY.matcher(value);
        BigDecimal factor = matcher.matches() ? factor(matcher) : null;
        if (factor == null) {
            throw new CniException("annotation " + annotation + ": \"" + value
                    + "\" is not a quantity of bits per second, such as 10M", null);
        }
        BigDecimal rate = new BigDecimal(matcher.group(1)).multiply(factor);
        if (rate.compareTo(LEAST) < 0 || rate.compareTo(MOST) > 0) {
            throw new CniException("annotation " + annotation + ": " + value + " is not between 1k and 1P",
                    null);
        }
        return rate.setScale(0, RoundingMode.CEILING).longValueExact();
    }

    private static @Nullable BigDecimal factor(Matcher matcher) {
        if (matcher.group(2) != null) {
            return SUFFIXES.get(matcher.group(2));
        }
        return matcher.group(3) == null
                ? BigDecimal.ONE
                : BigDecimal.ONE.scaleByPowerOfTen(Integer.parseInt(matcher.group(3)));
    }
}
