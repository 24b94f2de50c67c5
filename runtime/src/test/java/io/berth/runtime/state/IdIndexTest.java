package io.berth.runtime.state;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class IdIndexTest {
    @Test
    void findsByWholeIdAndByUniquePrefixOnly() {
        IdIndex<String> index = new IdIndex<>();
        index.put("abc1", "first");
        index.put("abd2", "second");
        index.put("abc", "whole id that others begin with");
        assertThat(index.find("abd")).contains("second");
        assertThat(index.find("abc1")).contains("first");
        assertThat(index.find("abc")).contains("whole id that others begin with");
        assertThat(index.find("ab")).isEmpty();
        assertThat(index.find("x")).isEmpty();
        assertThat(index.find("")).isEmpty();
        index.remove("abd2");
        assertThat(index.find("abd")).isEmpty();
    }
}
