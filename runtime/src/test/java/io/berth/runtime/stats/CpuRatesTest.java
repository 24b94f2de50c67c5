package io.berth.runtime.stats;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class CpuRatesTest {
    private static final long SECOND = 1_000_000_000;

    private final CpuRates rates = new CpuRates();

    @Test
    void aRateNeedsTwoReadingsThatAreASecondApart() {
        assertThat(rates.rate("a", 0, 0)).isEmpty();
        assertThat(rates.rate("a", SECOND - 1, SECOND)).isEmpty();
        assertThat(rates.rate("a", 2 * SECOND, SECOND)).hasValue(SECOND / 2);
    }

    @Test
    void aReadingThatComesTooSoonGivesTheLastRate() {
        rates.rate("a", 0, 0);
        rates.rate("a", SECOND, SECOND / 4);
        assertThat(rates.rate("a", SECOND + 1, SECOND)).hasValue(SECOND / 4);
        assertThat(rates.rate("a", 2 * SECOND, SECOND)).hasValue(3 * SECOND / 4);
    }

    @Test
    void aClockOrCounterThatWentBackStartsAnew() {
        rates.rate("a", 10 * SECOND, SECOND);
        assertThat(rates.rate("a", 5 * SECOND, 2 * SECOND)).isEmpty();
        assertThat(rates.rate("a", 6 * SECOND, 0)).isEmpty();
        assertThat(rates.rate("a", 7 * SECOND, SECOND)).hasValue(SECOND);
    }

    @Test
    void whoIsGoneIsForgotten() {
        rates.rate("a", 0, 0);
        rates.rate("b", 0, 0);
        rates.retainAll(List.of("b"));
        assertThat(rates.rate("a", SECOND, SECOND)).isEmpty();
        assertThat(rates.rate("b", SECOND, SECOND)).hasValue(SECOND);
    }
}
