package io.berth.shim.log;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class LineFramerTest {
    private static final long TIME = 1_795_330_293_981_065_734L;
    private static final String STAMP = "2026-11-22T06:51:33.981065734Z";
    private static final int PART = LogRecords.PART_BYTES;

    private final ByteArrayOutputStream written = new ByteArrayOutputStream();
    private final LogRecords records = new LogRecords(new byte[40_000], new JavaMemory(),
            (bytes, length) -> written.write(bytes, 0, length));
    private final LineFramer stdout = new LineFramer(new byte[65_536], new JavaMemory(), records, false);
    private final LineFramer stderr = new LineFramer(new byte[65_536], new JavaMemory(), records, true);

    @Test
    void eachLineIsOneRecordWithItsStream() {
        feed(stdout, "one\n\ntwo\n");
        feed(stderr, "three\n");
        assertThat(log()).isEqualTo(
                STAMP + " stdout F one\n" + STAMP + " stdout F \n" + STAMP + " stdout F two\n" + STAMP
                        + " stderr F three\n");
    }

    @Test
    void anUnfinishedLineWaitsForItsEndWhileTheOtherStreamGoesOn() {
        feed(stdout, "be");
        feed(stderr, "error\n");
        feed(stdout, "rth\n");
        assertThat(log()).isEqualTo(STAMP + " stderr F error\n" + STAMP + " stdout F berth\n");
    }

    @Test
    void anUnfinishedLineAtTheEndIsPartial() {
        feed(stdout, "no line feed");
        stdout.finish(TIME);
        stdout.finish(TIME);
        assertThat(log()).isEqualTo(STAMP + " stdout P no line feed\n");
    }

    @Test
    void aLineAsLongAsAPartIsOneFullRecordAndOneByteMoreIsTwo() {
        feed(stdout, "x".repeat(PART) + "\n" + "y".repeat(PART + 1) + "\n");
        assertThat(contents()).containsExactly("F " + PART, "P " + PART, "F 1");
    }

    @Test
    void aLineOfManyMegabytesIsParts() {
        int megabytes = 64;
        for (int i = 0; i < megabytes * 16; i++) {
            feed(stdout, "z".repeat(65_536 - stdout.writeOffset()));
        }
        feed(stdout, "\n");
        List<String> contents = contents();
        assertThat(contents.subList(0, contents.size() - 1)).allMatch(("P " + PART)::equals);
        assertThat(contents.getLast()).startsWith("F ");
    }

    @Test
    void whateverTheReadsTheContentComesOutAgain() {
        Random random = new Random(7);
        for (int round = 0; round < 200; round++) {
            byte[] input = new byte[random.nextInt(200_000)];
            random.nextBytes(input);
            sprinkle(input, random);
            written.reset();
            int at = 0;
            while (at < input.length) {
                int room = stdout.buffer().length - stdout.writeOffset();
                assertThat(room).isPositive();
                int count = Math.min(input.length - at, 1 + random.nextInt(room));
                System.arraycopy(input, at, stdout.buffer(), stdout.writeOffset(), count);
                stdout.accept(count, TIME);
                at += count;
            }
            stdout.finish(TIME);
            assertThat(unframed()).isEqualTo(input);
        }
    }

    private static void sprinkle(byte[] input, Random random) {
        int distance = 1 + random.nextInt(40_000);
        for (int i = 0; i < input.length; i++) {
            if (input[i] == '\n') {
                input[i] = ' ';
            }
            if (random.nextInt(distance) == 0) {
                input[i] = '\n';
            }
        }
    }

    /** What a reader of the log makes of it: full records end a line, partial ones do not. */
    private byte[] unframed() {
        byte[] log = written.toByteArray();
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        int start = 0;
        for (int i = 0; i < log.length; i++) {
            if (log[i] == '\n') {
                assertThat(i - start).isLessThanOrEqualTo(40 + PART);
                content.write(log, start + 40, i - start - 40);
                if (log[start + 38] == 'F') {
                    content.write('\n');
                }
                start = i + 1;
            }
        }
        assertThat(start).isEqualTo(log.length);
        return content.toByteArray();
    }

    private void feed(LineFramer framer, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(bytes, 0, framer.buffer(), framer.writeOffset(), bytes.length);
        framer.accept(bytes.length, TIME);
    }

    private String log() {
        return written.toString(StandardCharsets.US_ASCII);
    }

    /** Tag and length of each record's content. */
    private List<String> contents() {
        List<String> contents = new ArrayList<>();
        for (String line : log().split("\n", -1)) {
            if (!line.isEmpty()) {
                contents.add(line.charAt(38) + " " + (line.length() - 40));
            }
        }
        return contents;
    }
}
