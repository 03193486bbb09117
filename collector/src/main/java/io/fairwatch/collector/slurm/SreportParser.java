package io.fairwatch.collector.slurm;

import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Reads {@code sreport -P -n -t seconds}: what slurmdbd rolled up. Its answer is empty for hours that it has not rolled up
 * yet. Stateless.
 */
public final class SreportParser {
    /** The command runs with {@code TZ=UTC}, so that no time is meant twice or never. */
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss", Locale.ROOT).withZone(ZoneOffset.UTC);

    private SreportParser() {}

    /**
     * What an association used. Immutable.
     *
     * @param account charged account
     * @param user login name
     * @param resource TRES, e.g. {@code gres/gpu}
     * @param seconds of it
     */
    public record Used(String account, String user, String resource, long seconds) {}

    /**
     * What the cluster had. Immutable.
     *
     * @param resource TRES
     * @param allocated held by jobs or reserved, in seconds
     * @param down out of service
     * @param planned out of service as announced
     * @param idle neither
     * @param reported all of it
     */
    public record Utilization(String resource, long allocated, long down, long planned, long idle, long reported) {
        /** Both times together; the resource is this one's. */
        public Utilization plus(Utilization more) {
            return new Utilization(
                    resource,
                    allocated + more.allocated,
                    down + more.down,
                    planned + more.planned,
                    idle + more.idle,
                    reported + more.reported);
        }
    }

    /** Arguments for use by account and user. */
    public static List<String> byUser(String cluster, Instant from, Instant to) {
        return arguments(
                "cluster", "AccountUtilizationByUser", "format=Account,Login,TresName,Used", cluster, from, to);
    }

    /** Arguments for the cluster as a whole. */
    public static List<String> utilization(String cluster, Instant from, Instant to) {
        return arguments(
                "cluster",
                "Utilization",
                "format=TresName,Allocated,Down,PlannedDown,Idle,Reported",
                cluster,
                from,
                to);
    }

    private static List<String> arguments(
            String kind, String report, String format, String cluster, Instant from, Instant to) {
        return List.of(
                "-P",
                "-n",
                "-t",
                "seconds",
                kind,
                report,
                format,
                "--tres=gres/gpu,cpu,mem",
                "clusters=" + cluster,
                "start=" + TIME.format(from),
                "end=" + TIME.format(to));
    }

    /** Lines such as {@code cs|tlj@its.aau.dk|gres/gpu|5200}; sums of an account have no user and are left out. */
    public static List<Used> parseByUser(byte[] output) throws SlurmException {
        List<Used> used = new ArrayList<>();
        for (String[] cells : rows(output, 4)) {
            if (!cells[1].isEmpty()) {
                used.add(new Used(cells[0].strip(), cells[1], cells[2], seconds(cells[3])));
            }
        }
        return used;
    }

    /** Lines such as {@code gres/gpu|14767|0|0|36685|51452}. */
    public static List<Utilization> parseUtilization(byte[] output) throws SlurmException {
        List<Utilization> found = new ArrayList<>();
        for (String[] cells : rows(output, 6)) {
            found.add(new Utilization(
                    cells[0],
                    seconds(cells[1]),
                    seconds(cells[2]),
                    seconds(cells[3]),
                    seconds(cells[4]),
                    seconds(cells[5])));
        }
        return found;
    }

    private static List<String[]> rows(byte[] output, int columns) throws SlurmException {
        List<String[]> rows = new ArrayList<>();
        for (String line : new String(output, StandardCharsets.UTF_8).split("\n", -1)) {
            if (line.isEmpty() || !line.contains("|")) {
                continue;
            }
            String[] cells = line.split("\\|", -1);
            if (cells.length != columns) {
                throw new SlurmException(
                        "sreport: " + line.replaceAll("\\p{Cntrl}", "?") + " (expected: " + columns + " columns)");
            }
            rows.add(cells);
        }
        return rows;
    }

    /** Some releases add the share of the whole, as in {@code 5200(1.2%)}. */
    private static long seconds(String text) throws SlurmException {
        String number = text.replaceFirst("\\(.*", "").strip();
        if (!number.matches("\\d{1,18}")) {
            throw new SlurmException("sreport: " + text.replaceAll("\\p{Cntrl}", "?") + " (expected: seconds)");
        }
        return Long.parseLong(number);
    }
}
