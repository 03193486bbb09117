package io.fairwatch.collector.lookup;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.Utilization;
import io.fairwatch.collector.lookup.JobView.GpuLine;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.AllocatedGpu.Confidence;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.GpuReadingAt;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.JobUse;
import io.fairwatch.collector.text.Plain;
import io.fairwatch.collector.text.Table;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** Renders lookups as text and CSV. Immutable. */
public final class JobText {
    /** The columns that {@code nvidia-smi --format=csv} prints, and so did the script that people know. */
    static final String CSV_HEADER = "index, timestamp, utilization.gpu [%], utilization.memory [%],"
            + " memory.total [MiB], memory.used [MiB], memory.free [MiB]";

    private static final DateTimeFormatter STAMP = DateTimeFormatter.ofPattern("yyyy/MM/dd HH:mm:ss.SSS", Locale.ROOT);
    private static final String ABSENT = "[N/A]";
    private static final double MEBI = 1 << 20;
    private static final int LONGEST_NAME = 80;

    private final ZoneId zone;

    public JobText(ZoneId zone) {
        this.zone = zone;
    }

    /** Words, a table of GPUs, then the lines that people's scripts read. */
    public String page(JobLookup.Answer.Found found) {
        return page(found, Map.of());
    }

    /**
     * The same with a drawing of some runs.
     *
     * @param strips by run, whole lines
     */
    public String page(JobLookup.Answer.Found found, Map<RunKey, String> strips) {
        return found.views().stream()
                        .map(view -> page(
                                view, Optional.ofNullable(strips.get(view.run().key()))))
                        .collect(Collectors.joining("\n"))
                + (found.more() == 0 ? "" : "\nAnd " + found.more() + " more parts, not shown.\n")
                + found.waiting().stream().map(this::alsoWaits).collect(Collectors.joining());
    }

    private String alsoWaits(PendingJob job) {
        return "\nJob " + Plain.line(job.displayId(), LONGEST_NAME) + " waits since " + Plain.minute(job.submit(), zone)
                + " (" + Plain.line(job.reason(), LONGEST_NAME) + ").\n";
    }

    /** Only the lines that people's scripts read, with their header. */
    public String csv(List<JobView> views) {
        StringBuilder csv = new StringBuilder(CSV_HEADER).append('\n');
        views.forEach(view -> view.gpus().forEach(gpu -> gpu.newest()
                .ifPresent(reading -> csv.append(csvLine(reading)).append('\n'))));
        return csv.toString();
    }

    /** One sentence for a job that waits. */
    public String pending(PendingJob job) {
        return "Job " + Plain.line(job.displayId(), LONGEST_NAME) + " of "
                + Plain.line(job.owner().user(), LONGEST_NAME) + " has not started: it waits since "
                + Plain.minute(job.submit(), zone) + " (" + Plain.line(job.reason(), LONGEST_NAME)
                + "), so there is nothing to see yet.\n";
    }

    /** One sentence for an id that nobody knows. */
    public String unknown(String id, Optional<Instant> slurmAsOf) {
        return "Job " + id + " is not known: Slurm does not list it, and it has not run since Fairwatch watches"
                + slurmAsOf
                        .map(at -> " (Slurm asked at " + Plain.minute(at, zone) + ")")
                        .orElse(", which has had no answer from Slurm yet")
                + ".\n";
    }

    private String page(JobView view, Optional<String> strip) {
        StringBuilder page = new StringBuilder();
        view.simulated()
                .ifPresent(sentence -> page.append("** ").append(sentence).append(" **\n"));
        page.append(heading(view)).append('\n').append(holds(view.run())).append('\n');
        if (view.earlierRuns() > 0) {
            page.append("This is the newest of ").append(view.earlierRuns() + 1).append(" runs of this job.\n");
        }
        if (view.slurmStale() && view.run().asOf().isBefore(view.slurmAsOf())) {
            page.append("Slurm does not list it any more since ")
                    .append(Plain.minute(view.run().asOf(), zone))
                    .append(": it has ended, and accounting has not told when, or it is hidden from the collector.\n");
        } else if (view.slurmStale()) {
            page.append("Slurm does not answer since ")
                    .append(Plain.minute(view.slurmAsOf(), zone))
                    .append("; the job may have ended in the meantime.\n");
        }
        page.append('\n').append(table(view));
        strip.ifPresent(drawn -> page.append('\n').append(drawn));
        page.append('\n').append(completeness(view));
        view.findings().forEach(finding -> page.append(finding(finding)));
        if (view.gpus().stream().anyMatch(gpu -> gpu.newest().isPresent())) {
            page.append('\n').append(csv(List.of(view)));
        }
        return page.toString();
    }

    private String heading(JobView view) {
        Run run = view.run();
        Duration held = run.heldWithin(run.key().start(), view.until());
        String what = "Job " + run.displayId()
                + (run.displayId().equals(Long.toString(run.key().jobId()))
                        ? ""
                        : " (" + run.key().jobId() + ")") + " \""
                + Plain.line(run.name(), LONGEST_NAME) + "\" of "
                + Plain.line(run.owner().user(), LONGEST_NAME);
        String where = Plain.line(String.join(", ", run.allocation().nodes()), 400);
        String started = Plain.minute(run.key().start(), zone);
        if (run.end().isPresent()) {
            return what + ": " + state(run) + " on " + where + ", " + started + " to "
                    + Plain.minute(run.end().get(), zone) + " (" + Plain.duration(held) + ").";
        }
        return what + ": " + state(run) + " on " + where + " since " + started + " (" + Plain.duration(held)
                + run.timeLimit().map(limit -> " of " + Plain.duration(limit)).orElse(", no time limit") + ").";
    }

    private static String state(Run run) {
        return Plain.line(run.stateText(), LONGEST_NAME).toLowerCase(Locale.ROOT);
    }

    private static String holds(Run run) {
        List<String> parts = new ArrayList<>();
        OptionalInt gpus = run.allocation().gpus();
        String types = String.join(
                "/",
                run.gpus().stream().flatMap(gpu -> gpu.type().stream()).collect(Collectors.toCollection(TreeSet::new)));
        if (gpus.isPresent() && gpus.getAsInt() > 0) {
            parts.add(gpus.getAsInt()
                    + (types.isEmpty() ? "" : " " + Plain.line(types, LONGEST_NAME))
                    + (gpus.getAsInt() == 1 ? " GPU" : " GPUs"));
        } else {
            parts.add("no GPU that Slurm knows of");
        }
        run.allocation().cpus().ifPresent(cpus -> parts.add(cpus + (cpus == 1 ? " CPU" : " CPUs")));
        run.allocation().memoryBytes().ifPresent(bytes -> parts.add(Plain.bytes(bytes) + " memory"));
        return "It " + (run.end().isPresent() ? "held " : "holds ") + String.join(", ", parts) + "; account "
                + Plain.line(run.owner().account(), LONGEST_NAME) + ", partition "
                + Plain.line(run.owner().partition(), LONGEST_NAME)
                + (run.owner().qos().isEmpty()
                        ? ""
                        : ", QoS " + Plain.line(run.owner().qos(), LONGEST_NAME)) + ".";
    }

    private String table(JobView view) {
        if (view.gpus().isEmpty()) {
            boolean holdsGpus = view.run().allocation().gpus().orElse(0) > 0;
            return holdsGpus
                    ? "Which GPUs they " + (view.run().end().isPresent() ? "were" : "are")
                            + " is not known: Slurm did not name them while Fairwatch was watching.\n" + cpu(view)
                    : "No process of this job was seen on a GPU.\n" + cpu(view);
        }
        // of a run younger than an hour the last hour is all of it, and is said once
        boolean young = isYoung(view);
        List<String[]> rows = new ArrayList<>();
        rows.add(columns(
                young,
                "GPU",
                young ? "busy since start" : "busy, last hour",
                "since start",
                "memory at most",
                "processes",
                "idle since"));
        view.gpus()
                .forEach(gpu -> rows.add(columns(
                        young,
                        name(gpu.whole()),
                        busy(gpu.lastHour()),
                        busy(gpu.whole()),
                        memory(gpu.whole()),
                        processes(gpu.lastHour().processesMax()),
                        idleSince(view, gpu.whole()))));
        return Table.render(rows) + shared(view) + cpu(view);
    }

    /** The run's own part of it, where others use it, too. */
    private static String busy(GpuUse use) {
        GpuUse.Share own = use.own();
        return Plain.percent(own.utilizationMeanRatio()) + (own.utilizationEstimated() ? " (estimate)" : "");
    }

    private static String shared(JobView view) {
        List<GpuUse> shared = view.gpus().stream()
                .map(GpuLine::whole)
                .filter(use -> use.share().isPresent())
                .toList();
        if (shared.isEmpty()) {
            return "";
        }
        boolean estimated = shared.stream()
                .flatMap(use -> use.share().stream())
                .anyMatch(share -> share.utilizationEstimated() || share.memoryEstimated());
        return "Shared with others: " + shared.stream().map(JobText::shortName).collect(Collectors.joining(", "))
                + ". Busy and memory are what this job's own processes had of it"
                + (estimated
                        ? "; an estimate divides the GPU's by the jobs on it, where the driver does not tell.\n"
                        : ".\n");
    }

    private static boolean isYoung(JobView view) {
        return view.gpus().stream()
                .allMatch(gpu -> gpu.lastHour().from().equals(gpu.whole().from()));
    }

    private static String[] columns(
            boolean young, String gpu, String hour, String whole, String memory, String processes, String idle) {
        return young
                ? new String[] {gpu, hour, memory, processes, idle}
                : new String[] {gpu, hour, whole, memory, processes, idle};
    }

    /** As {@link Strip#name}. */
    static String shortName(GpuUse use) {
        return Plain.line(use.node(), 60)
                + use.allocated().map(gpu -> " #" + gpu.gresIndex()).orElseGet(() -> use.device()
                        .map(device -> " index " + device.index())
                        .orElse(""));
    }

    private static String name(GpuUse use) {
        String model = use.device()
                .map(GpuDevice::name)
                .or(() -> use.allocated().flatMap(AllocatedGpu::type))
                .map(text -> " " + Plain.line(text, 40))
                .orElse("");
        String sure = use.allocated()
                .map(gpu -> " #" + gpu.gresIndex() + doubt(gpu.confidence()))
                .orElseGet(() ->
                        use.device().map(device -> " index " + device.index()).orElse("")
                                + " (not allocated by Slurm)");
        return Plain.line(use.node(), 60) + sure + model;
    }

    private static String doubt(Confidence confidence) {
        return switch (confidence) {
            case CERTAIN, CONFIRMED -> "";
            case ASSUMED -> " (probably)";
            case CONTRADICTED -> " (doubtful)";
            case UNKNOWN -> " (device unknown)";
        };
    }

    private static String memory(GpuUse use) {
        GpuUse.Share own = use.own();
        OptionalLong most = own.memoryUsedMaxBytes();
        if (most.isEmpty()) {
            return "unknown";
        }
        OptionalLong total = use.device().map(GpuDevice::memoryTotalBytes).orElse(OptionalLong.empty());
        return Plain.bytes(most.getAsLong())
                + (total.isPresent() ? " of " + Plain.bytes(total.getAsLong()) : "")
                + (own.memoryEstimated() ? " (estimate)" : "");
    }

    private static String processes(OptionalInt most) {
        return most.isPresent() ? Integer.toString(most.getAsInt()) : "unknown";
    }

    private String idleSince(JobView view, GpuUse use) {
        if (use.samples() == 0 || use.utilizationMaxRatio().isEmpty()) {
            return "unknown";
        }
        Duration slack = view.period().orElse(Duration.ofMinutes(1)).multipliedBy(2);
        if (use.lastBusyAt().isEmpty()) {
            return "never busy";
        }
        Instant lastBusy = use.lastBusyAt().get();
        Duration idle = Duration.between(lastBusy, use.to());
        return idle.compareTo(slack) <= 0 ? "-" : Plain.minute(lastBusy, zone) + " (" + Plain.duration(idle) + ")";
    }

    private static String cpu(JobView view) {
        Optional<JobUse> cpu = view.cpu();
        if (cpu.isEmpty()) {
            return "CPU and memory: unknown.\n";
        }
        double held =
                view.run().heldWithin(view.run().key().start(), view.until()).toMillis() / 1000.0;
        OptionalInt cpus = view.run().allocation().cpus();
        OptionalDouble seconds = cpu.get().cpuSeconds();
        String cores = seconds.isPresent() && held > 0
                ? String.format(Locale.ROOT, "%.1f", seconds.getAsDouble() / held)
                        + (cpus.isPresent() ? " of " + cpus.getAsInt() : "") + " cores busy on average"
                : "cores busy unknown";
        OptionalLong most = cpu.get().memoryUsedMaxBytes();
        OptionalLong given = view.run().allocation().memoryBytes();
        String memory = most.isPresent()
                ? "at most " + Plain.bytes(most.getAsLong())
                        + (given.isPresent() ? " of " + Plain.bytes(given.getAsLong()) : "") + " memory"
                : "memory unknown";
        return "CPU: " + cores + "; " + memory + ".\n";
    }

    private String completeness(JobView view) {
        StringBuilder text = new StringBuilder("Readings: ");
        OptionalDouble hour = worst(view, GpuLine::lastHour);
        OptionalDouble whole = worst(view, GpuLine::whole);
        if (whole.isEmpty()) {
            text.append(view.period().isPresent() ? "none of a GPU" : "none, its nodes never reported");
        } else {
            text.append(isYoung(view) ? "" : Plain.coverage(hour.orElse(0)) + " complete for the last hour, ")
                    .append(Plain.coverage(whole.getAsDouble()))
                    .append(isYoung(view) ? " complete since the start" : " since the start");
        }
        view.period().ifPresent(period -> text.append(", one every ").append(Plain.duration(period.plusMillis(500))));
        newest(view)
                .ifPresent(at -> text.append(
                        view.run().end().isPresent()
                                ? ""
                                : ", newest " + Plain.duration(Duration.between(at, view.at())) + " old"));
        text.append(".\nSlurm: as of ")
                .append(Plain.minute(view.slurmAsOf(), zone))
                .append(".\n");
        if (!view.silentNodes().isEmpty()) {
            text.append("Nothing was heard from ")
                    .append(Plain.line(String.join(", ", view.silentNodes()), 400))
                    .append(" during this run.\n");
        }
        return text.toString();
    }

    private static OptionalDouble worst(JobView view, java.util.function.Function<GpuLine, GpuUse> which) {
        return view.gpus().stream()
                .mapToDouble(gpu -> which.apply(gpu).coverage())
                .min();
    }

    private static Optional<Instant> newest(JobView view) {
        return view.gpus().stream()
                .flatMap(gpu -> gpu.newest().stream())
                .map(GpuReadingAt::at)
                .max(Instant::compareTo);
    }

    private String finding(FindingLine finding) {
        return switch (finding.state()) {
            case SUSPECTED -> "";
            case FOUND, TOLD ->
                "Finding " + finding.rule() + " since " + Plain.minute(finding.since(), zone) + ": "
                        + Plain.line(finding.summary(), 500)
                        + finding.toldAt()
                                .map(at -> " (owner told " + Plain.minute(at, zone) + ")")
                                .orElse("")
                        + "\n";
            case RESOLVED ->
                "Earlier finding " + finding.rule() + ", " + Plain.minute(finding.since(), zone) + " to "
                        + Plain.minute(finding.clearSince().orElse(finding.lastSeen()), zone) + ".\n";
        };
    }

    private String csvLine(GpuReadingAt at) {
        GpuReading reading = at.reading();
        OptionalLong total = reading.device().memoryTotalBytes();
        OptionalLong used = reading.memoryUsedBytes();
        OptionalLong free = total.isPresent() && used.isPresent()
                ? OptionalLong.of(Math.max(
                        0,
                        total.getAsLong()
                                - used.getAsLong()
                                - reading.memoryReservedBytes().orElse(0)))
                : OptionalLong.empty();
        return String.join(
                ", ",
                Integer.toString(reading.device().index()),
                STAMP.format(at.at().atZone(zone)),
                wholePercent(reading.utilization()),
                wholePercent(reading.memoryUtilization()),
                mebibytes(total),
                mebibytes(used),
                mebibytes(free));
    }

    private static String wholePercent(Optional<Utilization> utilization) {
        return utilization
                .map(u -> (int) Math.floor(u.meanRatio() * 100 + 0.5) + " %")
                .orElse(ABSENT);
    }

    private static String mebibytes(OptionalLong bytes) {
        return bytes.isPresent() ? (long) Math.floor(bytes.getAsLong() / MEBI) + " MiB" : ABSENT;
    }
}
