package io.berth.shim.log;

/** A time in the log's format, {@code 2026-11-22T06:27:05.000000001Z}: always {@link #LENGTH} bytes, never before the last one. */
public final class Timestamp {
    public static final int LENGTH = 30;

    private static final long NANOS_PER_SECOND = 1_000_000_000L;
    private static final long SECONDS_PER_DAY = 86_400;
    private static final int DAYS_PER_ERA = 146_097;

    private final byte[] text = new byte[LENGTH];
    private long lastSeconds = Long.MIN_VALUE;
    private long lastNanos = Long.MIN_VALUE;

    public Timestamp() {
        text[4] = '-';
        text[7] = '-';
        text[10] = 'T';
        text[13] = ':';
        text[16] = ':';
        text[19] = '.';
        text[29] = 'Z';
    }

    /** Sets the time in nanoseconds since 1970 UTC; a time before the last one leaves it as it was. */
    public void set(long nanos) {
        if (nanos <= lastNanos || nanos < 0) {
            return;
        }
        lastNanos = nanos;
        long seconds = nanos / NANOS_PER_SECOND;
        if (seconds != lastSeconds) {
            lastSeconds = seconds;
            date(seconds / SECONDS_PER_DAY);
            int second = (int) (seconds % SECONDS_PER_DAY);
            digits(11, 2, second / 3600);
            digits(14, 2, second / 60 % 60);
            digits(17, 2, second % 60);
        }
        digits(20, 9, (int) (nanos % NANOS_PER_SECOND));
    }

    /** The text, to be read only. */
    public byte[] text() {
        return text;
    }

    /** Proleptic Gregorian date of a day since 1970, counted in years that begin in March, so that leap days come last. */
    private void date(long day) {
        long shifted = day + 719_468;
        int era = (int) (shifted / DAYS_PER_ERA);
        int dayOfEra = (int) (shifted % DAYS_PER_ERA);
        int yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365;
        int dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
        int marchMonth = (5 * dayOfYear + 2) / 153;
        int month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
        digits(0, 4, yearOfEra + era * 400 + (month <= 2 ? 1 : 0));
        digits(5, 2, month);
        digits(8, 2, dayOfYear - (153 * marchMonth + 2) / 5 + 1);
    }

    private void digits(int at, int count, int value) {
        int rest = value;
        for (int i = at + count - 1; i >= at; i--) {
            text[i] = (byte) ('0' + rest % 10);
            rest /= 10;
        }
    }
}
