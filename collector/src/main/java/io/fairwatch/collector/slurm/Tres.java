package io.fairwatch.collector.slurm;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * Slurm's text for trackable resources, e.g. {@code cpu=4,mem=1.50G,node=1,gres/gpu=2,gres/gpu:v100=2}; entries come in any
 * order. Immutable.
 */
record Tres(Map<String, String> entries) {
    private static final String GPU = "gres/gpu";
    private static final String UNITS = "KMGTPE";

    Tres {
        entries = Map.copyOf(entries);
    }

    /**
     * Reads the text; an empty one has no entries.
     *
     * @throws IllegalArgumentException if an entry is no {@code name=value}
     */
    static Tres parse(String text) {
        Map<String, String> entries = new LinkedHashMap<>();
        for (String entry : text.split(",", -1)) {
            if (entry.isBlank()) {
                continue;
            }
            int equals = entry.indexOf('=');
            if (equals < 1) {
                throw new IllegalArgumentException("TRES: " + text + " (expected: e.g. cpu=4,mem=2G)");
            }
            entries.put(
                    entry.substring(0, equals).strip(),
                    entry.substring(equals + 1).strip());
        }
        return new Tres(entries);
    }

    /** CPUs; absent if not told. */
    OptionalInt cpus() {
        return count("cpu");
    }

    /** Memory; absent if not told. Slurm counts in powers of 1024, and in MiB where it writes no unit. */
    OptionalLong memoryBytes() {
        String text = entries.get("mem");
        if (text == null || text.isEmpty()) {
            return OptionalLong.empty();
        }
        int power = UNITS.indexOf(Character.toUpperCase(text.charAt(text.length() - 1))) + 1;
        String number = power == 0 ? text : text.substring(0, text.length() - 1);
        try {
            return OptionalLong.of(new BigDecimal(number)
                    .multiply(BigDecimal.valueOf(1024).pow(power == 0 ? 2 : power))
                    .setScale(0, RoundingMode.HALF_UP)
                    .longValueExact());
        } catch (ArithmeticException | NumberFormatException e) {
            throw new IllegalArgumentException("mem: " + text + " (expected: e.g. 500M)", e);
        }
    }

    /**
     * GPUs: {@code gres/gpu} alone, for the typed entries tell the same GPUs again; their sum only where the untyped entry
     * is missing. 0 if neither is there; absent if nothing at all was told.
     */
    OptionalInt gpus() {
        if (entries.isEmpty()) {
            return OptionalInt.empty();
        }
        OptionalInt untyped = count(GPU);
        if (untyped.isPresent()) {
            return untyped;
        }
        return OptionalInt.of(entries.keySet().stream()
                .filter(name -> name.startsWith(GPU + ":"))
                .mapToInt(name -> count(name).orElse(0))
                .sum());
    }

    private OptionalInt count(String name) {
        String text = entries.get(name);
        if (text == null || text.isEmpty()) {
            return OptionalInt.empty();
        }
        try {
            int count = Integer.parseInt(text);
            if (count >= 0) {
                return OptionalInt.of(count);
            }
        } catch (NumberFormatException expected) {
            // told below
        }
        throw new IllegalArgumentException(name + ": " + text + " (expected: a count)");
    }
}
