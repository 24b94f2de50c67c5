package io.berth.imagestore.registry;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;

/**
 * JSON from registries, archives and the node's files, within limits: at most {@value #MAX_DEPTH} levels, numbers of at
 * most {@value #MAX_DIGITS} digits, {@value #MAX_TOKENS} tokens (a node of the tree takes fifty times the bytes of {@code {}}),
 * nothing behind the end. How large a document may be is its reader's to say.
 */
public final class ImageJson {
    static final int MAX_DEPTH = 64;
    static final int MAX_DIGITS = 64;
    static final int MAX_TOKENS = 400_000;

    private static final ObjectMapper LENIENT = mapper(false);
    private static final ObjectMapper STRICT = mapper(true);

    /** Why something is not JSON; says where, and never quotes it, for it may hold a secret. */
    public static final class Malformed extends Exception {
        private static final long serialVersionUID = 1;

        private Malformed(String message) {
            super(message);
        }
    }

    private ImageJson() {}

    /** Reads a document. */
    public static JsonNode read(byte[] bytes) throws Malformed {
        return read(LENIENT, bytes);
    }

    /** Reads a document on which trust depends: a key that stands twice, which readers take differently, is refused. */
    static JsonNode readStrict(byte[] bytes) throws Malformed {
        return read(STRICT, bytes);
    }

    private static JsonNode read(ObjectMapper mapper, byte[] bytes) throws Malformed {
        try {
            JsonNode root = mapper.readTree(bytes);
            if (root == null || root.isMissingNode()) {
                throw new Malformed("it is empty");
            }
            return root;
        } catch (JsonProcessingException e) {
            JsonLocation at = e.getLocation();
            throw new Malformed("it is not JSON, or beyond the limits for it"
                    + (at == null ? "" : ", at line " + at.getLineNr() + ", column " + at.getColumnNr()));
        } catch (IOException e) {
            throw new Malformed("it is not JSON: its text is not UTF-8");
        }
    }

    private static ObjectMapper mapper(boolean strict) {
        JsonFactory factory = JsonFactory.builder()
                .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(MAX_DEPTH)
                        .maxNumberLength(MAX_DIGITS).maxTokenCount(MAX_TOKENS).build())
                .configure(StreamReadFeature.STRICT_DUPLICATE_DETECTION, strict).build();
        return new ObjectMapper(factory).enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
    }
}
