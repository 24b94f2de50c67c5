package io.berth.shim.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class WireTest {
    @Test
    void integersAreThoseOfTheJdkInBothOrders() {
        Random random = new Random(3);
        byte[] bytes = new byte[16];
        for (int i = 0; i < 10_000; i++) {
            long value = random.nextLong() >> random.nextInt(64);
            Wire.putLong(bytes, 1, value);
            assertThat(ByteBuffer.wrap(bytes).getLong(1)).isEqualTo(value);
            assertThat(Wire.intAt(bytes, 5)).isEqualTo((int) value);
            assertThat(Wire.shortAt(bytes, 7)).isEqualTo((int) value & 0xffff);
            Wire.putLongLittle(bytes, 3, value);
            assertThat(ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong(3)).isEqualTo(value);
            assertThat(Wire.longLittle(bytes, 3)).isEqualTo(value);
            assertThat(Wire.intLittle(bytes, 3)).isEqualTo((int) value);
        }
    }

    @Test
    void decimalsStopAtTheFirstOtherByteAndRefuseWhatIsTooLarge() {
        assertThat(decimal("4711\n")).isEqualTo(4711);
        assertThat(decimal("2147483647")).isEqualTo(Integer.MAX_VALUE);
        assertThat(decimal("2147483648")).isEqualTo(-1);
        assertThat(decimal("99999999999999999999999")).isEqualTo(-1);
        assertThat(decimal("-1")).isEqualTo(-1);
        assertThat(decimal("")).isEqualTo(-1);
    }

    @Test
    void aNameThatLeadsElsewhereIsNotPlain() {
        assertThat(isPlain("process-1")).isTrue();
        assertThat(isPlain("x".repeat(Wire.MAX_NAME_BYTES))).isTrue();
        assertThat(isPlain("x".repeat(Wire.MAX_NAME_BYTES + 1))).isFalse();
        assertThat(isPlain("")).isFalse();
        assertThat(isPlain("..")).isFalse();
        assertThat(isPlain("a/b")).isFalse();
        assertThat(isPlain("a\0b")).isFalse();
    }

    private static int decimal(String text) {
        return Wire.decimal(bytes(text), 0, text.length());
    }

    private static boolean isPlain(String text) {
        return Wire.isPlainName(bytes(text), 0, text.length());
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }
}
