package io.berth.imagestore.registry;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * One challenge of a {@code WWW-Authenticate} header (RFC 9110, 11.6.1).
 *
 * @param scheme lower case, such as {@code bearer}
 * @param parameters by lower case name
 */
record Challenge(String scheme, Map<String, String> parameters) {
    /** The value of {@code name}, empty where absent. */
    String parameter(String name) {
        return parameters.getOrDefault(name, "");
    }

    /** Reads every challenge of every header; what does not parse is left out. */
    static List<Challenge> parse(List<String> headers) {
        List<Challenge> challenges = new ArrayList<>();
        for (String header : headers) {
            new Reader(header).readInto(challenges);
        }
        return challenges;
    }

    private static final class Reader {
        private final String text;
        private int at;

        Reader(String text) {
            this.text = text;
        }

        void readInto(List<Challenge> challenges) {
            Map<String, String> parameters = Map.of();
            while (true) {
                skip(" \t,");
                String word = token();
                if (word.isEmpty()) {
                    return;
                }
                int afterWord = at;
                skip(" \t");
                if (at < text.length() && text.charAt(at) == '=' && !challenges.isEmpty()) {
                    at++;
                    skip(" \t");
                    parameters.putIfAbsent(word.toLowerCase(Locale.ROOT), value());
                } else {
                    at = afterWord;
                    parameters = new LinkedHashMap<>();
                    challenges.add(new Challenge(word.toLowerCase(Locale.ROOT), parameters));
                }
            }
        }

        private String token() {
            int start = at;
            while (at < text.length() && " \t,=\"".indexOf(text.charAt(at)) < 0) {
                at++;
            }
            return text.substring(start, at);
        }

        private String value() {
            if (at >= text.length() || text.charAt(at) != '"') {
                return token();
            }
            StringBuilder value = new StringBuilder();
            for (at++; at < text.length() && text.charAt(at) != '"'; at++) {
                if (text.charAt(at) == '\\' && at + 1 < text.length()) {
                    at++;
                }
                value.append(text.charAt(at));
            }
            at = Math.min(at + 1, text.length());
            return value.toString();
        }

        private void skip(String characters) {
            while (at < text.length() && characters.indexOf(text.charAt(at)) >= 0) {
                at++;
            }
        }
    }
}
