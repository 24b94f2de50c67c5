package io.berth.runtime.container;

import static org.assertj.core.api.Assertions.assertThat;

import io.berth.cri.v1.Signal;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class StopSignalsTest {
    @ParameterizedTest
    @CsvSource({"SIGTERM,15", "term,15", "9,9", "SIGRTMIN,34", "SIGRTMIN+3,37", "SIGRTMAX-1,63", "RTMAX,64"})
    void readsWhatImagesSay(String word, int number) {
        assertThat(StopSignals.number(word)).hasValue(number);
    }

    @ParameterizedTest
    @CsvSource({"SIGNOTHING", "0", "65", "SIGRTMIN+99", "-1"})
    void findsNoSignalInNonsense(String word) {
        assertThat(StopSignals.number(word)).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(names = {"UNRECOGNIZED", "SIGNAL_RUNTIME_DEFAULT"}, mode = EnumSource.Mode.EXCLUDE)
    void knowsEverySignalOfTheCri(Signal signal) {
        int number = StopSignals.effective(signal, "");
        assertThat(number).isBetween(1, 64);
        assertThat(StopSignals.effective(StopSignals.cri(number), "")).isEqualTo(number);
    }

    @Test
    void theRequestGoesBeforeTheImageAndTheImageBeforeTheDefault() {
        assertThat(StopSignals.effective(Signal.SIGNAL_SIGINT, "SIGUSR1")).isEqualTo(2);
        assertThat(StopSignals.effective(Signal.SIGNAL_RUNTIME_DEFAULT, "SIGUSR1")).isEqualTo(10);
        assertThat(StopSignals.effective(Signal.SIGNAL_RUNTIME_DEFAULT, "")).isEqualTo(15);
    }
}
