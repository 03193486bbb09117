package io.fairwatch.rules;

import com.google.errorprone.annotations.Immutable;
import dev.cel.bundle.CelBuilder;
import dev.cel.common.CelFunctionDecl;
import dev.cel.common.CelOverloadDecl;
import dev.cel.common.types.CelType;
import dev.cel.common.types.ListType;
import dev.cel.common.types.SimpleType;
import dev.cel.runtime.CelFunctionBinding;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;

/** Functions that rules have besides CEL's own. All are strict: an unknown argument makes an unknown result. Immutable and
 * thread-safe. */
final class TextFunctions {
    private static final List<String> BINARY_UNITS = List.of("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB");
    private static final ListType INTS = ListType.create(SimpleType.INT);
    private static final ListType STRINGS = ListType.create(SimpleType.STRING);
    private static final ListType DOUBLES = ListType.create(SimpleType.DOUBLE);

    private final Language language;
    private final Map<String, Declared> byName = new LinkedHashMap<>();

    /** One function.
     *
     * @param result type of what it gives
     * @param arguments types of what it takes
     * @param body takes what CEL holds of these types: Long, Double, String, List */
    record Declared(CelType result, List<CelType> arguments, Body body) {}

    /** What a function does. */
    @Immutable
    @FunctionalInterface
    interface Body {
        Object of(Object[] arguments);
    }

    TextFunctions(Language language) {
        this.language = language;
        declare("duration_text", SimpleType.STRING, SimpleType.INT, of -> language.duration((long) of[0]));
        declare("bytes_text", SimpleType.STRING, SimpleType.INT, of -> bytesText(language, (long) of[0]));
        declare("percent_text", SimpleType.STRING, SimpleType.DOUBLE, of -> percentText((double) of[0]));
        declare("hours_text", SimpleType.STRING, SimpleType.DOUBLE, of -> hoursText(language, (double) of[0]));
        declare(
                "list_text",
                SimpleType.STRING,
                STRINGS,
                of -> language.list(
                        ((List<?>) of[0]).stream().map(String::valueOf).toList()));
        byName.put(
                "count_text",
                new Declared(
                        SimpleType.STRING,
                        List.of(SimpleType.INT, SimpleType.STRING, SimpleType.STRING),
                        of -> of[0] + " " + ((long) of[0] == 1 ? of[1] : of[2])));
        declare("slurm_memory", SimpleType.STRING, SimpleType.INT, of -> slurmMemory((long) of[0]));
        declare("slurm_time", SimpleType.STRING, SimpleType.INT, of -> slurmTime((long) of[0]));
        declare("round_up", SimpleType.INT, SimpleType.DOUBLE, of -> roundUp((double) of[0]));
        declare("least", SimpleType.INT, INTS, of -> longs(of)
                .min(Long::compare)
                .orElseThrow(() -> new IllegalArgumentException("least of nothing")));
        declare("greatest", SimpleType.INT, INTS, of -> longs(of)
                .max(Long::compare)
                .orElseThrow(() -> new IllegalArgumentException("greatest of nothing")));
        declare("sum", SimpleType.INT, INTS, of -> longs(of).reduce(0L, Math::addExact));
        declare("lowest", SimpleType.DOUBLE, DOUBLES, of -> doubles(of)
                .min()
                .orElseThrow(() -> new IllegalArgumentException("lowest of nothing")));
        declare("highest", SimpleType.DOUBLE, DOUBLES, of -> doubles(of)
                .max()
                .orElseThrow(() -> new IllegalArgumentException("highest of nothing")));
        declare("total", SimpleType.DOUBLE, DOUBLES, of -> doubles(of).sum());
        declare("mean", SimpleType.DOUBLE, DOUBLES, of -> doubles(of)
                .average()
                .orElseThrow(() -> new IllegalArgumentException("mean of nothing")));
    }

    private void declare(String name, CelType result, CelType argument, Body body) {
        byName.put(name, new Declared(result, List.of(argument), body));
    }

    Language language() {
        return language;
    }

    /** All of them by name. */
    Map<String, Declared> byName() {
        return byName;
    }

    @SuppressWarnings("Immutable") // the bodies are stateless lambdas of this class
    void addTo(CelBuilder builder) {
        byName.forEach((name, function) -> {
            builder.addFunctionDeclarations(CelFunctionDecl.newFunctionDeclaration(
                    name,
                    CelOverloadDecl.newGlobalOverload(
                            name, function.result(), function.arguments().toArray(CelType[]::new))));
            builder.addFunctionBindings(CelFunctionBinding.from(
                    name,
                    function.arguments().stream()
                            .<Class<?>>map(TextFunctions::classOf)
                            .toList(),
                    function.body()::of));
        });
    }

    private static Class<?> classOf(CelType type) {
        if (type.equals(SimpleType.INT)) {
            return Long.class;
        }
        if (type.equals(SimpleType.DOUBLE)) {
            return Double.class;
        }
        return type.equals(SimpleType.STRING) ? String.class : List.class;
    }

    /** Says 33285996544 as "31.0 GiB". */
    private static String bytesText(Language language, long bytes) {
        double value = bytes;
        int unit = 0;
        while (Math.abs(value) >= 1024 && unit < BINARY_UNITS.size() - 1) {
            value /= 1024;
            unit++;
        }
        return unit == 0 ? bytes + " B" : language.number(oneDecimal(value)) + " " + BINARY_UNITS.get(unit);
    }

    /** As {@code %.1f}. */
    private static String oneDecimal(double value) {
        return String.format(Locale.ROOT, "%.1f", value);
    }

    /** Says 0.254 as "25 %". */
    static String percentText(double ratio) {
        return Math.round(ratio * 100) + " %";
    }

    /** The next whole number. */
    private static long roundUp(double value) {
        if (!(Math.abs(value) < Long.MAX_VALUE / 2.0)) {
            throw new IllegalArgumentException("round_up of " + value);
        }
        return (long) Math.ceil(value);
    }

    /** Says 3600.0 seconds as "1.0 hours" of something. */
    private static String hoursText(Language language, double seconds) {
        double hours = seconds / 3600;
        return language.number(String.format(Locale.ROOT, hours < 100 ? "%.1f" : "%,.0f", hours));
    }

    /** Says bytes as an {@code --mem} of Slurm, rounded up to whole gigabytes: "65G". */
    private static String slurmMemory(long bytes) {
        return Math.max(1, Math.floorDiv(bytes + (1L << 30) - 1, 1L << 30)) + "G";
    }

    /** Says seconds as a {@code --time} of Slurm, rounded up to whole minutes: "1-02:30:00". */
    private static String slurmTime(long seconds) {
        long minutes = Math.max(1, Math.floorDiv(seconds + 59, 60L));
        long days = minutes / (24 * 60);
        return (days > 0 ? days + "-" : "")
                + String.format(Locale.ROOT, "%02d:%02d:00", minutes / 60 % 24, minutes % 60);
    }

    private static DoubleStream doubles(Object[] arguments) {
        return ((List<?>) arguments[0]).stream().mapToDouble(Double.class::cast);
    }

    private static Stream<Long> longs(Object[] arguments) {
        return ((List<?>) arguments[0]).stream().map(Long.class::cast);
    }
}
