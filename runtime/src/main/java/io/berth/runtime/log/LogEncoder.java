package io.berth.runtime.log;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.encoder.EncoderBase;
import com.fasterxml.jackson.core.io.JsonStringEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.slf4j.event.KeyValuePair;

/**
 * One event, one line: no value from outside (an image's name, a plugin's words) can make up a line of its own. Only a
 * stack trace follows on lines of its own, indented, in the text form.
 */
final class LogEncoder extends EncoderBase<ILoggingEvent> {
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'")
            .withZone(ZoneOffset.UTC);
    private static final byte[] NOTHING = {};

    private final boolean json;

    LogEncoder(boolean json) {
        this.json = json;
    }

    @Override
    public byte[] encode(ILoggingEvent event) {
        var line = new StringBuilder(160);
        if (json) {
            appendJson(line, event);
        } else {
            appendText(line, event);
        }
        return line.append('\n').toString().getBytes(StandardCharsets.UTF_8);
    }

    private static void appendText(StringBuilder line, ILoggingEvent event) {
        String level = event.getLevel().toString();
        line.append(time(event)).append(' ').append(level)
                .append(" ".repeat(Math.max(1, 6 - level.length())));
        appendPlain(line, String.valueOf(event.getFormattedMessage()));
        for (KeyValuePair pair : pairs(event)) {
            line.append(' ').append(pair.key).append('=');
            appendValue(line, String.valueOf(pair.value));
        }
        @Nullable
        IThrowableProxy thrown = event.getThrowableProxy();
        if (thrown != null) {
            line.append(" logger=").append(event.getLoggerName()).append('\n');
            line.append(ThrowableProxyUtil.asString(thrown).stripTrailing().indent(4).stripTrailing());
        }
    }

    private static void appendJson(StringBuilder line, ILoggingEvent event) {
        line.append("{\"time\":\"").append(time(event)).append("\",\"level\":\"").append(event.getLevel())
                .append('"');
        member(line, "logger", event.getLoggerName());
        member(line, "message", event.getFormattedMessage());
        pairs(event).forEach(pair -> member(line, pair.key, pair.value));
        @Nullable
        IThrowableProxy thrown = event.getThrowableProxy();
        if (thrown != null) {
            member(line, "error", ThrowableProxyUtil.asString(thrown).stripTrailing());
        }
        line.append('}');
    }

    private static void member(StringBuilder line, String key, @Nullable Object value) {
        line.append(",\"");
        JsonStringEncoder.getInstance().quoteAsString(key, line);
        line.append("\":");
        switch (value) {
            case null -> line.append("null");
            case Number n -> line.append(n);
            case Boolean b -> line.append(b);
            default -> {
                line.append('"');
                JsonStringEncoder.getInstance().quoteAsString(value.toString(), line);
                line.append('"');
            }
        }
    }

    /** As it is where that is unambiguous, else in quotes with escapes. */
    private static void appendValue(StringBuilder line, String value) {
        boolean plain = !value.isEmpty()
                && value.chars().allMatch(
                        c -> c > ' ' && c != '"' && c != '=' && c != '\\' && !Character.isISOControl(c));
        if (plain) {
            line.append(value);
            return;
        }
        line.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c == '"' || c == '\\') {
                line.append('\\');
            }
            appendPlain(line, c);
        }
        line.append('"');
    }

    private static void appendPlain(StringBuilder line, String text) {
        for (int i = 0; i < text.length(); i++) {
            appendPlain(line, text.charAt(i));
        }
    }

    private static void appendPlain(StringBuilder line, char c) {
        switch (c) {
            case '\n' -> line.append("\\n");
            case '\r' -> line.append("\\r");
            case '\t' -> line.append("\\t");
            default -> {
                if (Character.isISOControl(c)) {
                    line.append(String.format("\\u%04x", (int) c));
                } else {
                    line.append(c);
                }
            }
        }
    }

    private static List<KeyValuePair> pairs(ILoggingEvent event) {
        return Objects.requireNonNullElse(event.getKeyValuePairs(), List.of());
    }

    private static String time(ILoggingEvent event) {
        return TIME.format(Instant.ofEpochMilli(event.getTimeStamp()));
    }

    @Override
    public byte[] headerBytes() {
        return NOTHING;
    }

    @Override
    public byte[] footerBytes() {
        return NOTHING;
    }
}
