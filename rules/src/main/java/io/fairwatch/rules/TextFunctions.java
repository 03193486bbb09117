package io.fairwatch.rules;

import dev.cel.bundle.CelBuilder;
import dev.cel.common.CelFunctionDecl;
import dev.cel.common.CelOverloadDecl;
import dev.cel.common.types.CelType;
import dev.cel.common.types.ListType;
import dev.cel.common.types.SimpleType;
import dev.cel.runtime.CelFunctionBinding;
import java.util.List;
import java.util.Locale;
import java.util.stream.DoubleStream;

/** Functions that rules have besides CEL's own. All are strict: an unknown argument makes an unknown result. */
final class TextFunctions {
    private static final List<String> BINARY_UNITS = List.of("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB");

    private TextFunctions() {}

    static void addTo(CelBuilder builder) {
        ListType ints = ListType.create(SimpleType.INT);
        ListType strings = ListType.create(SimpleType.STRING);
        ListType doubles = ListType.create(SimpleType.DOUBLE);
        declare(builder, "duration_text", SimpleType.STRING, SimpleType.INT);
        declare(builder, "bytes_text", SimpleType.STRING, SimpleType.INT);
        declare(builder, "percent_text", SimpleType.STRING, SimpleType.DOUBLE);
        declare(builder, "count_text", SimpleType.STRING, SimpleType.INT, SimpleType.STRING, SimpleType.STRING);
        declare(builder, "list_text", SimpleType.STRING, strings);
        declare(builder, "least", SimpleType.INT, ints);
        declare(builder, "greatest", SimpleType.INT, ints);
        declare(builder, "sum", SimpleType.INT, ints);
        declare(builder, "lowest", SimpleType.DOUBLE, doubles);
        declare(builder, "highest", SimpleType.DOUBLE, doubles);
        declare(builder, "total", SimpleType.DOUBLE, doubles);
        declare(builder, "mean", SimpleType.DOUBLE, doubles);
        declare(builder, "round_up", SimpleType.INT, SimpleType.DOUBLE);
        declare(builder, "hours_text", SimpleType.STRING, SimpleType.DOUBLE);
        declare(builder, "slurm_memory", SimpleType.STRING, SimpleType.INT);
        declare(builder, "slurm_time", SimpleType.STRING, SimpleType.INT);
        builder.addFunctionBindings(
                CelFunctionBinding.from("duration_text", Long.class, TextFunctions::durationText),
                CelFunctionBinding.from("bytes_text", Long.class, TextFunctions::bytesText),
                CelFunctionBinding.from("percent_text", Double.class, TextFunctions::percentText),
                CelFunctionBinding.from(
                        "count_text",
                        List.of(Long.class, String.class, String.class),
                        arguments -> countText((long) arguments[0], (String) arguments[1], (String) arguments[2])),
                CelFunctionBinding.from("list_text", List.class, TextFunctions::listText),
                CelFunctionBinding.from("least", List.class, list -> longs(list).stream()
                        .min(Long::compare)
                        .orElseThrow(() -> new IllegalArgumentException("least of nothing"))),
                CelFunctionBinding.from("greatest", List.class, list -> longs(list).stream()
                        .max(Long::compare)
                        .orElseThrow(() -> new IllegalArgumentException("greatest of nothing"))),
                CelFunctionBinding.from(
                        "sum", List.class, list -> longs(list).stream().reduce(0L, Math::addExact)),
                CelFunctionBinding.from("lowest", List.class, list -> doubles(list)
                        .min()
                        .orElseThrow(() -> new IllegalArgumentException("lowest of nothing"))),
                CelFunctionBinding.from("highest", List.class, list -> doubles(list)
                        .max()
                        .orElseThrow(() -> new IllegalArgumentException("highest of nothing"))),
                CelFunctionBinding.from(
                        "total", List.class, list -> doubles(list).sum()),
                CelFunctionBinding.from("mean", List.class, list -> doubles(list)
                        .average()
                        .orElseThrow(() -> new IllegalArgumentException("mean of nothing"))),
                CelFunctionBinding.from("round_up", Double.class, TextFunctions::roundUp),
                CelFunctionBinding.from("hours_text", Double.class, TextFunctions::hoursText),
                CelFunctionBinding.from("slurm_memory", Long.class, TextFunctions::slurmMemory),
                CelFunctionBinding.from("slurm_time", Long.class, TextFunctions::slurmTime));
    }

    private static void declare(CelBuilder builder, String name, CelType result, CelType... arguments) {
        builder.addFunctionDeclarations(CelFunctionDecl.newFunctionDeclaration(
                name, CelOverloadDecl.newGlobalOverload(name, result, arguments)));
    }

    /** Says 5400 as "1 h 30 min"; the two largest units, rounded down, so that nobody is told of more than there was. */
    static String durationText(long seconds) {
        long minutes = seconds / 60;
        long hours = minutes / 60;
        long days = hours / 24;
        if (days > 0) {
            return days + (days == 1 ? " day" : " days") + (hours % 24 > 0 ? " " + hours % 24 + " h" : "");
        }
        if (hours > 0) {
            return hours + " h" + (minutes % 60 > 0 ? " " + minutes % 60 + " min" : "");
        }
        return minutes > 0 ? minutes + " min" : seconds + " s";
    }

    /** Says 33285996544 as "31.0 GiB". */
    static String bytesText(long bytes) {
        double value = bytes;
        int unit = 0;
        while (Math.abs(value) >= 1024 && unit < BINARY_UNITS.size() - 1) {
            value /= 1024;
            unit++;
        }
        return unit == 0 ? bytes + " B" : String.format(Locale.ROOT, "%.1f %s", value, BINARY_UNITS.get(unit));
    }

    /** Says 0.254 as "25 %". */
    static String percentText(double ratio) {
        return Math.round(ratio * 100) + " %";
    }

    /** Says 1, "GPU", "GPUs" as "1 GPU". */
    private static String countText(long count, String one, String many) {
        return count + " " + (count == 1 ? one : many);
    }

    /** Says ["a", "b", "c"] as "a, b and c". */
    private static String listText(List<?> list) {
        List<String> words = list.stream().map(String::valueOf).toList();
        int last = words.size() - 1;
        return last < 1
                ? String.join("", words)
                : String.join(", ", words.subList(0, last)) + " and " + words.get(last);
    }

    /** The next whole number. */
    private static long roundUp(double value) {
        if (!(Math.abs(value) < Long.MAX_VALUE / 2.0)) {
            throw new IllegalArgumentException("round_up of " + value);
        }
        return (long) Math.ceil(value);
    }

    /** Says 3600.0 seconds as "1.0 hours" of something. */
    static String hoursText(double seconds) {
        double hours = seconds / 3600;
        return String.format(Locale.ROOT, hours < 100 ? "%.1f" : "%,.0f", hours);
    }

    /** Says bytes as an {@code --mem} of Slurm, rounded up to whole gigabytes: "65G". */
    static String slurmMemory(long bytes) {
        return Math.max(1, Math.floorDiv(bytes + (1L << 30) - 1, 1L << 30)) + "G";
    }

    /** Says seconds as a {@code --time} of Slurm, rounded up to whole minutes: "1-02:30:00". */
    static String slurmTime(long seconds) {
        long minutes = Math.max(1, Math.floorDiv(seconds + 59, 60L));
        long days = minutes / (24 * 60);
        return (days > 0 ? days + "-" : "")
                + String.format(Locale.ROOT, "%02d:%02d:00", minutes / 60 % 24, minutes % 60);
    }

    private static DoubleStream doubles(List<?> list) {
        return list.stream().mapToDouble(Double.class::cast);
    }

    private static List<Long> longs(List<?> list) {
        return list.stream().map(Long.class::cast).toList();
    }
}
