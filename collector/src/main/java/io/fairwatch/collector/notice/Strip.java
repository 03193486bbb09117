package io.fairwatch.collector.notice;

import java.util.List;
import java.util.OptionalDouble;

/**
 * How busy a GPU was over a time, in equal parts from left to right. Immutable.
 *
 * @param parts mean utilisation of each part, ratio 0..1; absent where it was not measured
 */
public record Strip(List<OptionalDouble> parts) {
    /** As many parts as a line of text can show. */
    public static final int PARTS = 48;

    /** Shades of busy, apart from idle and unknown. */
    static final int SHADES = 4;

    public Strip {
        parts = List.copyOf(parts);
    }

    /** One character for each part: see the legend among the texts. */
    String text() {
        StringBuilder out = new StringBuilder();
        for (OptionalDouble part : parts) {
            if (part.isEmpty()) {
                out.append('?');
            } else if (isIdle(part.getAsDouble())) {
                out.append('_');
            } else {
                long tenths = Math.max(1, Math.round(part.getAsDouble() * 10));
                out.append(tenths >= 10 ? "#" : Long.toString(tenths));
            }
        }
        return out.toString();
    }

    /** -1 unknown, 0 idle, 1 to {@link #SHADES} busy. */
    int shade(int part) {
        OptionalDouble value = parts.get(part);
        if (value.isEmpty()) {
            return -1;
        }
        return isIdle(value.getAsDouble()) ? 0 : (int) Math.min(SHADES, 1 + Math.floor(value.getAsDouble() * SHADES));
    }

    /** NVML tells whole percent, and a mean below half of one is nothing that ran. */
    private static boolean isIdle(double mean) {
        return mean < 0.005;
    }
}
