package io.fairwatch.collector.lookup;

import io.fairwatch.collector.text.Csv;
import io.fairwatch.collector.text.Plain;
import io.fairwatch.collector.text.Table;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/** Renders lists of jobs as text and CSV. Immutable. */
public final class JobListText {
    private static final int LONGEST_NAME = 40;

    private final ZoneId zone;

    public JobListText(ZoneId zone) {
        this.zone = zone;
    }

    /** Running jobs, then waiting ones, then ended ones. */
    public String page(Listing<JobLine> list) {
        List<JobLine> ended =
                list.items().stream().filter(job -> job.end().isPresent()).toList();
        List<JobLine> waiting =
                list.items().stream().filter(job -> job.start().isEmpty()).toList();
        List<JobLine> running = list.items().stream()
                .filter(job -> job.start().isPresent() && job.end().isEmpty())
                .toList();
        List<String> tables = new ArrayList<>();
        if (!running.isEmpty()) {
            tables.add(running(running, list.at()));
        }
        if (!waiting.isEmpty()) {
            tables.add(waiting(waiting, list.at()));
        }
        if (!ended.isEmpty()) {
            tables.add(ended(ended));
        }
        StringBuilder page = new StringBuilder();
        list.simulated()
                .ifPresent(sentence ->
                        page.append("** ").append(Plain.line(sentence, 200)).append(" **\n"));
        if (tables.isEmpty()) {
            tables.add("There is no such job.\n");
        }
        page.append(String.join("\n", tables));
        list.next()
                .ifPresent(next -> page.append("\nAnd more, not shown: ask for fewer, or for the next ones by --after ")
                        .append(next)
                        .append('\n'));
        page.append("\nSlurm: ")
                .append(list.slurmAsOf()
                        .map(at -> "as of " + Plain.duration(Duration.between(at, list.at())) + " ago")
                        .orElse("has not answered yet"));
        if (!running.isEmpty()) {
            page.append("; GPUs by their nodes' readings of the last ").append(Plain.duration(HoldLookup.LATELY));
        }
        return page.append(".\n").toString();
    }

    private static String running(List<JobLine> jobs, Instant now) {
        List<String[]> rows = new ArrayList<>();
        rows.add(new String[] {"running", "user", "partition", "where", "held", "GPUs", "idle", "busy now"});
        for (JobLine job : jobs) {
            rows.add(new String[] {
                Plain.line(job.job(), LONGEST_NAME) + (job.state().equals("running") ? "" : " " + job.state()),
                name(job.user()),
                name(job.partition()),
                where(job.nodes()),
                Plain.duration(Duration.between(job.start().orElse(now), now)),
                gpus(job),
                job.gpusIdle().orElse(0) == 0
                        ? "-"
                        : Integer.toString(job.gpusIdle().getAsInt()),
                holdsGpus(job) ? Plain.percent(job.busyRatio()) + (job.busyEstimated() ? " (estimate)" : "") : "-"
            });
        }
        return Table.render(rows);
    }

    private static boolean holdsGpus(JobLine job) {
        return job.gpus().orElse(0) > 0 || job.gpusUsed().orElse(0) > 0;
    }

    /** {@code 2}, {@code 1 used} where only processes tell, {@code -} for none. */
    private static String gpus(JobLine job) {
        int given = job.gpus().orElse(0);
        int used = job.gpusUsed().orElse(0);
        return given > 0 ? Integer.toString(given) : used > 0 ? used + " used" : "-";
    }

    private static String waiting(List<JobLine> jobs, Instant now) {
        List<String[]> rows = new ArrayList<>();
        rows.add(new String[] {"waiting", "user", "partition", "waits", "reason", "asks for"});
        for (JobLine job : jobs) {
            rows.add(new String[] {
                Plain.line(job.job(), LONGEST_NAME),
                name(job.user()),
                name(job.partition()),
                Plain.duration(Duration.between(job.submit(), now)),
                name(job.reason().orElse("")),
                Plain.line(job.request().orElse(""), 60)
            });
        }
        return Table.render(rows);
    }

    private String ended(List<JobLine> jobs) {
        List<String[]> rows = new ArrayList<>();
        rows.add(new String[] {"ended", "user", "partition", "where", "start", "held", "GPUs", "busy", "state"});
        for (JobLine job : jobs) {
            Instant start = job.start().orElse(job.submit());
            rows.add(new String[] {
                Plain.line(job.job(), LONGEST_NAME),
                name(job.user()),
                name(job.partition()),
                where(job.nodes()),
                Plain.minute(start, zone),
                Plain.duration(Duration.between(start, job.end().orElse(start))),
                gpus(job),
                job.gpus().orElse(0) > 0 ? Plain.percent(job.busyRatio()) : "-",
                job.state()
            });
        }
        return Table.render(rows);
    }

    private static String where(List<String> nodes) {
        return nodes.isEmpty()
                ? "-"
                : Plain.line(nodes.get(0), LONGEST_NAME) + (nodes.size() > 1 ? " +" + (nodes.size() - 1) : "");
    }

    private static String name(String text) {
        return Plain.line(text, LONGEST_NAME);
    }

    /** A line for each job. */
    public String csv(List<JobLine> jobs) {
        Csv csv = new Csv(
                "job",
                "job_id",
                "cluster",
                "state",
                "user",
                "account",
                "partition",
                "qos",
                "name",
                "nodes",
                "submit",
                "start",
                "end",
                "time_limit_seconds",
                "cpus",
                "memory_bytes",
                "gpus",
                "gpus_used",
                "gpus_idle",
                "busy_ratio",
                "reason",
                "request",
                "busy_estimated");
        for (JobLine job : jobs) {
            csv.row(
                    job.job(),
                    Long.toString(job.jobId()),
                    job.cluster(),
                    job.state(),
                    job.user(),
                    job.account(),
                    job.partition(),
                    job.qos(),
                    job.name(),
                    String.join(" ", job.nodes()),
                    job.submit().toString(),
                    job.start().map(Instant::toString).orElse(""),
                    job.end().map(Instant::toString).orElse(""),
                    job.timeLimit()
                            .map(limit -> Long.toString(limit.toSeconds()))
                            .orElse(""),
                    number(job.cpus()),
                    job.memoryBytes().isPresent()
                            ? Long.toString(job.memoryBytes().getAsLong())
                            : "",
                    number(job.gpus()),
                    number(job.gpusUsed()),
                    number(job.gpusIdle()),
                    ratio(job.busyRatio()),
                    job.reason().orElse(""),
                    job.request().orElse(""),
                    Boolean.toString(job.busyEstimated()));
        }
        return csv.toString();
    }

    private static String number(OptionalInt value) {
        return value.isPresent() ? Integer.toString(value.getAsInt()) : "";
    }

    private static String ratio(OptionalDouble value) {
        return value.isPresent() ? String.format(Locale.ROOT, "%.3f", value.getAsDouble()) : "";
    }
}
