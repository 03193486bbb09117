package io.fairwatch.collector.judge;

import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * What a waiting job asks for, from Slurm's text such as {@code cpu=4,mem=10000M,node=1,gres/gpu=2,gres/gpu:v100=2}.
 * Immutable.
 *
 * @param gpuModel kind of GPU; absent: any, or several kinds
 */
record Asked(
        OptionalInt nodes, OptionalInt cpus, OptionalLong memoryBytes, OptionalInt gpus, Optional<String> gpuModel) {

    /** Reads the text; what cannot be read is absent. */
    static Asked parse(String tres) {
        OptionalInt nodes = OptionalInt.empty();
        OptionalInt cpus = OptionalInt.empty();
        OptionalLong memory = OptionalLong.empty();
        OptionalInt gpus = OptionalInt.empty();
        int typed = 0;
        Optional<String> model = Optional.empty();
        for (String entry : tres.split(",", -1)) {
            int equals = entry.indexOf('=');
            if (equals < 1) {
                continue;
            }
            String name = entry.substring(0, equals).strip();
            String value = entry.substring(equals + 1).strip();
            switch (name) {
                case "node" -> nodes = count(value);
                case "cpu" -> cpus = count(value);
                case "mem" -> memory = bytes(value);
                case "gres/gpu" -> gpus = count(value);
                default -> {
                    if (name.startsWith("gres/gpu:")) {
                        typed++;
                        model = Optional.of(name.substring("gres/gpu:".length()));
                    }
                }
            }
        }
        return new Asked(nodes, cpus, memory, gpus, typed == 1 ? model : Optional.empty());
    }

    private static OptionalInt count(String value) {
        return value.matches("\\d{1,9}") ? OptionalInt.of(Integer.parseInt(value)) : OptionalInt.empty();
    }

    /** Slurm writes megabytes where it writes no unit. */
    private static OptionalLong bytes(String value) {
        if (!value.matches("\\d{1,12}(\\.\\d{1,6})?[KMGTP]?")) {
            return OptionalLong.empty();
        }
        char last = value.charAt(value.length() - 1);
        boolean unit = Character.isLetter(last);
        double number = Double.parseDouble(unit ? value.substring(0, value.length() - 1) : value);
        int power = 1 + "KMGTP".indexOf(unit ? last : 'M');
        return OptionalLong.of(Math.round(number * Math.pow(1024, power)));
    }
}
