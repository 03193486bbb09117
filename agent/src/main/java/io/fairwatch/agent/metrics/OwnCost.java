package io.fairwatch.agent.metrics;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What this process has cost the node. Immutable.
 *
 * @param cpuSeconds CPU time since it started; absent if the system does not tell. Source: {@code /proc/self/stat}
 * @param residentBytes resident memory now. Source: {@code VmRSS} of {@code /proc/self/status}; absent if unreadable
 */
public record OwnCost(OptionalDouble cpuSeconds, OptionalLong residentBytes) {
    /** Nothing is known yet. */
    public static final OwnCost UNKNOWN = new OwnCost(OptionalDouble.empty(), OptionalLong.empty());

    private static final Pattern RESIDENT = Pattern.compile("(?m)^VmRSS:\\s+(\\d{1,15}) kB$");
    private static final double TICKS_PER_SECOND = 100;

    /** Reads it now; touches {@code /proc}, so not on the event loop. */
    public static OwnCost read() {
        return new OwnCost(parseCpu(text("stat")), parseResident(text("status")));
    }

    private static String text(String name) {
        try {
            return Files.readString(Path.of("/proc/self/" + name), StandardCharsets.ISO_8859_1);
        } catch (IOException expected) { // not on Linux, or /proc is hidden: then it is not known
            return "";
        }
    }

    /** {@code 805 (java) S 799 805 ...}: fields 14 and 15, in hundredths of a second. */
    static OptionalDouble parseCpu(String stat) {
        String[] fields = stat.substring(stat.lastIndexOf(')') + 1).strip().split(" ", -1);
        return fields.length > 12 && fields[11].matches("\\d{1,15}") && fields[12].matches("\\d{1,15}")
                ? OptionalDouble.of((Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / TICKS_PER_SECOND)
                : OptionalDouble.empty();
    }

    /** {@code VmRSS:	   81234 kB}. */
    static OptionalLong parseResident(String status) {
        Matcher line = RESIDENT.matcher(status);
        return line.find() ? OptionalLong.of(Long.parseLong(line.group(1)) * 1024) : OptionalLong.empty();
    }
}
