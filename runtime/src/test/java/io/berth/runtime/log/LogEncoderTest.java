package io.berth.runtime.log;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class LogEncoderTest {
    @Test
    void textShowsTimeLevelMessageAndPairs() {
        String line = encode(false,
                log -> log.atInfo().addKeyValue("container", "c1").addKeyValue("bytes", 12L)
                        .log("started"));
        assertThat(line).matches(
                "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z INFO  started container=c1 bytes=12\n");
    }

    @Test
    void textQuotesWhatWouldBeAmbiguous() {
        String line = encode(false, log -> log.atWarn().addKeyValue("a", "").addKeyValue("b", "x y")
                .addKeyValue("c", "say \"hi\"").addKeyValue("d", "k=v").addKeyValue("e", (Object) null)
                .log("odd"));
        assertThat(line).endsWith(" odd a=\"\" b=\"x y\" c=\"say \\\"hi\\\"\" d=\"k=v\" e=null\n");
    }

    @Test
    void nobodyForgesALine() {
        String line = encode(false, log -> log.atInfo().addKeyValue("image", "x\n2026 ERROR forged\u001b[31m")
                .log("pulling\r\nforged"));
        assertThat(line.strip()).doesNotContain("\n", "\r", "\u001b");
        assertThat(line).contains("pulling\\r\\nforged")
                .contains("image=\"x\\n2026 ERROR forged\\u001b[31m\"");
    }

    @Test
    void textIndentsTheStackBelowItsLine() {
        String text = encode(false, log -> log.atError().setCause(new IOException("disk")).log("failed"));
        assertThat(text.lines().toList()).first().asString().endsWith("failed logger=test");
        assertThat(text.lines().skip(1)).allMatch(line -> line.startsWith("    "))
                .anyMatch(line -> line.contains("java.io.IOException: disk"));
    }

    @Test
    void jsonIsOneObjectALine() throws Exception {
        String line = encode(true,
                log -> log.atError().addKeyValue("container", "c\"1\n").addKeyValue("bytes", 12L)
                        .addKeyValue("oom", true).addKeyValue("nothing", (Object) null)
                        .setCause(new IOException("disk")).log("failed"));
        assertThat(line.strip()).doesNotContain("\n");
        JsonNode json = new JsonMapper().readTree(line);
        assertThat(json.get("level").textValue()).isEqualTo("ERROR");
        assertThat(json.get("logger").textValue()).isEqualTo("test");
        assertThat(json.get("message").textValue()).isEqualTo("failed");
        assertThat(json.get("container").textValue()).isEqualTo("c\"1\n");
        assertThat(json.get("bytes").longValue()).isEqualTo(12);
        assertThat(json.get("oom").booleanValue()).isTrue();
        assertThat(json.get("nothing").isNull()).isTrue();
        assertThat(json.get("error").textValue()).startsWith("java.io.IOException: disk\n");
    }

    private static String encode(boolean json, Consumer<Logger> log) {
        var context = new LoggerContext();
        Logger logger = context.getLogger("test");
        logger.setLevel(Level.TRACE);
        var events = new ListAppender<ILoggingEvent>();
        events.start();
        logger.addAppender(events);
        log.accept(logger);
        return new String(new LogEncoder(json).encode(events.list.getFirst()), StandardCharsets.UTF_8);
    }
}
