package io.berth.runtime.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RollbackTest {
    @Test
    void undoesNewestFirstAndGoesOnAfterAFailure() {
        List<String> undone = new ArrayList<>();
        Rollback rollback = new Rollback("thing");
        rollback.add("first", () -> undone.add("first"));
        rollback.add("second", () -> {
            throw new IOException("stuck");
        });
        rollback.add("third", () -> undone.add("third"));
        Exception failure = new Exception("the cause");
        assertThat(rollback.run(failure)).isFalse();
        assertThat(undone).containsExactly("third", "first");
        assertThat(failure.getSuppressed()).singleElement().satisfies(e -> assertThat(e).hasMessage("stuck"));
        assertThat(rollback.run(failure)).isTrue();
    }
}
