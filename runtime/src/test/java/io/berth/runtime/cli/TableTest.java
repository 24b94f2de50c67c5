package io.berth.runtime.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TableTest {
    @Test
    void alignsColumnsAndLeavesNoTrailingSpace() {
        var table = new Table("IMAGE", "ID");
        table.add("a", "1");
        table.add("long-name", "22");
        var out = new StringWriter();
        table.print(new PrintWriter(out));
        assertThat(out).hasToString("IMAGE      ID\na          1\nlong-name  22\n");
    }

    @ParameterizedTest(name = "{0} bytes are {1}")
    @CsvSource({"0,0B", "999,999B", "1000,1.00kB", "15300,15.3kB", "999600,1.00MB", "134217728,134MB",
            "2140000000,2.14GB", "5000000000000,5.00TB"})
    void sizesHaveThreeDigits(long bytes, String text) {
        assertThat(ImagePrinter.size(bytes)).isEqualTo(text);
    }
}
