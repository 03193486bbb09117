package io.fairwatch.collector.slurm;

import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Reads how jobs ended from {@code sacct -P}. Jobs that still run, or never started, are left out. Immutable.
 *
 * <p>{@code sacct} prints job names as they are, newlines included. The name is therefore the last column, and the columns
 * are delimited by a text that nobody could know when the job was named: whatever a name contains, it cannot begin a row.
 */
public final class SacctParser {
    private static final List<String> COLUMNS = List.of(
            "JobIDRaw",
            "JobID",
            "User",
            "UID",
            "Account",
            "Partition",
            "QOS",
            "State",
            "Submit",
            "Eligible",
            "Start",
            "End",
            "Suspended",
            "TimelimitRaw",
            "AllocTRES",
            "Reservation",
            "NodeList",
            "JobName");

    /** {@code 00:01:41}, {@code 1-02:03:04}, {@code 01:41}, {@code 00:00.030} */
    private static final Pattern ELAPSED =
            Pattern.compile("(?:(?:(\\d{1,6})-)?(\\d{1,3}):)?(\\d{1,2}):(\\d{1,2})(?:\\.\\d+)?");

    private static final Pattern ARRAY_TASK = Pattern.compile("(\\d{1,18})_(\\d{1,18})");
    private static final Pattern HET_COMPONENT = Pattern.compile("(\\d{1,18})\\+(\\d{1,9})");

    private final String delimiter;

    /**
     * A parser for one call of {@code sacct}.
     *
     * @param nonce text that no job name contains, new for each call
     */
    public SacctParser(String nonce) {
        this.delimiter = "\u001f" + nonce;
    }

    /**
     * One answer.
     *
     * @param runs runs that have ended
     * @param rows rows told in all, those of running and waiting jobs included
     * @param problems rows that could not be read, one sentence each
     */
    public record Ended(List<Run> runs, int rows, List<String> problems) {
        public Ended {
            runs = List.copyOf(runs);
            problems = List.copyOf(problems);
        }
    }

    /**
     * Arguments that ask for every record that had not ended at {@code from} and was eligible before {@code to}. Without
     * {@code -s} that holds for records in any state; {@code -D} keeps those of requeued jobs and of ids used twice. Times
     * are relative to now, so that no time zone matters.
     */
    List<String> window(Instant from, Instant to, Instant now) {
        List<String> arguments = common();
        arguments.add("-S");
        arguments.add("now-" + Math.max(1, Duration.between(from, now).toSeconds() + 1));
        if (to.isBefore(now)) {
            arguments.add("-E");
            arguments.add("now-" + Duration.between(to, now).toSeconds());
        }
        return arguments;
    }

    /** Arguments that ask for all records of jobs, whenever they ran. */
    List<String> jobs(List<Long> ids) {
        List<String> arguments = common();
        arguments.add("-j");
        arguments.add(ids.stream().map(String::valueOf).collect(Collectors.joining(",")));
        return arguments;
    }

    private List<String> common() {
        return new ArrayList<>(List.of(
                "-X", "-D", "-a", "-P", "-n", "--delimiter=" + delimiter, "--format=" + String.join(",", COLUMNS)));
    }

    /**
     * Reads a whole answer, row by row as it comes.
     *
     * @param cluster Slurm's {@code ClusterName}
     * @param at when it was asked
     * @throws SlurmException if there are rows and none can be read
     */
    public Ended parse(InputStream output, String cluster, Instant at) throws SlurmException, IOException {
        Rows rows = new Rows(cluster, at);
        BufferedReader lines =
                new BufferedReader(new InputStreamReader(new CleanUtf8(output), StandardCharsets.UTF_8), 1 << 16);
        StringBuilder line = new StringBuilder();
        for (int c = lines.read(); c >= 0; c = lines.read()) {
            if (c == '\n') {
                rows.line(line.toString());
                line.setLength(0);
            } else {
                line.append((char) c);
            }
        }
        if (!line.isEmpty()) {
            rows.line(line.toString());
        }
        rows.end();
        if (rows.read == 0 && !rows.problems.isEmpty()) {
            throw new SlurmException("sacct printed no row that can be read; " + rows.problems.get(0));
        }
        return new Ended(rows.runs, rows.count, rows.problems);
    }

    /** Puts the lines of one answer together to rows. Confined to one call. */
    private final class Rows {
        final String cluster;
        final Instant at;
        final List<Run> runs = new ArrayList<>();
        final List<String> problems = new ArrayList<>();
        final StringBuilder row = new StringBuilder();
        int count;
        int read;

        Rows(String cluster, Instant at) {
            this.cluster = cluster;
            this.at = at;
        }

        void line(String line) {
            if (line.contains(delimiter)) {
                end();
                count++;
                row.append(line);
            } else if (count > 0) {
                row.append('\n').append(line); // a name with a newline
            } else if (!line.isEmpty()) {
                problems.add("sacct row 0: " + shown(line) + " (expected: " + COLUMNS.size() + " columns)");
            }
        }

        /** The row is whole: another one begins, or the answer ends. */
        void end() {
            if (row.isEmpty()) {
                return;
            }
            try {
                row(row.toString(), cluster, at).ifPresent(runs::add);
                read++;
            } catch (IllegalArgumentException e) {
                problem(String.valueOf(e.getMessage()));
            } catch (RuntimeException bug) {
                problem("a bug: " + bug);
            }
            row.setLength(0);
        }

        private void problem(String what) {
            problems.add("sacct row " + count + ": " + what);
        }
    }

    private Optional<Run> row(String row, String cluster, Instant at) {
        List<String> cells = List.of(row.split(Pattern.quote(delimiter), COLUMNS.size()));
        if (cells.size() != COLUMNS.size()) {
            throw new IllegalArgumentException(
                    shown(row) + " has " + cells.size() + " columns (expected: " + COLUMNS.size() + ")");
        }
        String rawId = cell(cells, "JobIDRaw");
        Optional<Instant> start = time(cells, "Start");
        Optional<Instant> end = time(cells, "End");
        Instant submit = time(cells, "Submit").orElse(Instant.EPOCH);
        List<String> nodes = nodes(cell(cells, "NodeList"));
        if (start.isEmpty() || end.isEmpty() || nodes.isEmpty()) {
            return Optional.empty(); // waits, runs, or was cancelled while it waited
        }
        String displayId = cell(cells, "JobID");
        Matcher array = ARRAY_TASK.matcher(displayId);
        Matcher het = HET_COMPONENT.matcher(displayId);
        boolean isArray = array.matches();
        boolean isHet = het.matches();
        Run.JobIds ids = new Run.JobIds(
                isArray ? OptionalLong.of(Long.parseLong(array.group(1))) : OptionalLong.empty(),
                isArray ? OptionalLong.of(Long.parseLong(array.group(2))) : OptionalLong.empty(),
                isHet ? OptionalLong.of(Long.parseLong(het.group(1))) : OptionalLong.empty(),
                isHet ? OptionalInt.of(Integer.parseInt(het.group(2))) : OptionalInt.empty());
        OptionalInt uid = uid(cell(cells, "UID"));
        String user = cell(cells, "User");
        if (user.isEmpty()) {
            if (uid.isEmpty()) {
                throw new IllegalArgumentException("job " + shown(rawId) + " has neither User nor UID");
            }
            user = Integer.toString(uid.getAsInt());
        }
        String stateText = cell(cells, "State");
        String tresText = cell(cells, "AllocTRES");
        Tres tres = Tres.parse(tresText);
        return Optional.of(new Run(
                new RunKey(cluster, jobId(rawId), start.get()),
                ids,
                new Run.Owner(user, uid, cell(cells, "Account"), cell(cells, "Partition"), cell(cells, "QOS")),
                cell(cells, "JobName"),
                false,
                submit,
                end,
                timeLimit(cell(cells, "TimelimitRaw")),
                elapsed(cell(cells, "Suspended")),
                JobState.parse(stateText),
                stateText,
                new Run.Allocation(nodes, tres.cpus(), tres.memoryBytes(), tres.gpus(), tresText),
                List.of(),
                at,
                new Run.Also(
                        time(cells, "Eligible"),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.of(cell(cells, "Reservation")).filter(name -> !name.isEmpty()))));
    }

    private static String cell(List<String> cells, String column) {
        return cells.get(COLUMNS.indexOf(column));
    }

    private static long jobId(String text) {
        if (!text.matches("\\d{1,18}")) {
            throw new IllegalArgumentException("JobIDRaw: " + shown(text) + " (expected: a number)");
        }
        return Long.parseLong(text);
    }

    private static OptionalInt uid(String text) {
        return text.matches("\\d{1,9}") ? OptionalInt.of(Integer.parseInt(text)) : OptionalInt.empty();
    }

    /** Seconds since 1970; absent for {@code Unknown} and {@code None}. A date would depend on a time zone. */
    private static Optional<Instant> time(List<String> cells, String column) {
        String text = cell(cells, column);
        if (text.isEmpty() || text.equals("Unknown") || text.equals("None") || text.equals("0")) {
            return Optional.empty();
        }
        if (!text.matches("\\d{1,12}")) {
            throw new IllegalArgumentException(column + ": " + shown(text)
                    + " (expected: seconds since 1970; does the prefix pass SLURM_TIME_FORMAT on?)");
        }
        return Optional.of(Instant.ofEpochSecond(Long.parseLong(text)));
    }

    /** Minutes; {@code UNLIMITED}, {@code Partition_Limit} and empty are no limit that could be told. */
    private static Optional<Duration> timeLimit(String text) {
        return text.matches("\\d{1,9}") ? Optional.of(Duration.ofMinutes(Long.parseLong(text))) : Optional.empty();
    }

    static Duration elapsed(String text) {
        if (text.isEmpty()) {
            return Duration.ZERO;
        }
        Matcher matcher = ELAPSED.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("Suspended: " + shown(text) + " (expected: [DD-[HH:]]MM:SS)");
        }
        return Duration.ofDays(part(matcher, 1))
                .plusHours(part(matcher, 2))
                .plusMinutes(part(matcher, 3))
                .plusSeconds(part(matcher, 4));
    }

    private static long part(Matcher matcher, int group) {
        String digits = matcher.group(group);
        return digits == null ? 0 : Long.parseLong(digits);
    }

    private static List<String> nodes(String text) {
        return text.equals("None assigned") ? List.of() : Hostlist.expand(text);
    }

    private static String shown(String text) {
        String clean = text.replaceAll("\\p{Cntrl}", "?");
        return clean.length() <= 80 ? clean : clean.substring(0, 80) + "...";
    }
}
