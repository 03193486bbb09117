package io.fairwatch.agent.metrics;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.stream.Stream;

/**
 * What this process has cost the node. Immutable.
 *
 * @param cpuSeconds CPU time since it started; absent if the system does not tell. Source: {@code ProcessHandle}
 * @param residentBytes resident memory now. Source: {@code VmRSS} of {@code /proc/self/status}; absent if unreadable
 */
public record OwnCost(OptionalDouble cpuSeconds, OptionalLong residentBytes) {
    /** Nothing is known yet. */
    public static final OwnCost UNKNOWN = new OwnCost(OptionalDouble.empty(), OptionalLong.empty());

    private static final String RESIDENT = "VmRSS:";

    /** Reads it now; touches {@code /proc}, so not on the event loop. */
    public static OwnCost read() {
        OptionalDouble cpu = ProcessHandle.current().info().totalCpuDuration().stream()
                .mapToDouble(OwnCost::seconds)
                .findFirst();
        try (Stream<String> status = Files.lines(Path.of("/proc/self/status"))) {
            return new OwnCost(cpu, parseResident(status.toList()));
        } catch (IOException expected) { // not on Linux, or /proc is hidden: then it is not known
            return new OwnCost(cpu, OptionalLong.empty());
        }
    }

    private static double seconds(Duration duration) {
        return duration.toNanos() / 1e9;
    }

    /** {@code VmRSS:	   81234 kB}. */
    static OptionalLong parseResident(List<String> status) {
        return status.stream()
                .filter(line -> line.startsWith(RESIDENT) && line.endsWith(" kB"))
                .map(line ->
                        line.substring(RESIDENT.length(), line.length() - 3).trim())
                .filter(number -> number.matches("\\d{1,15}"))
                .mapToLong(number -> Long.parseLong(number) * 1024)
                .findFirst();
    }
}
