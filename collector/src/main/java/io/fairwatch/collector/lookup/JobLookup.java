package io.fairwatch.collector.lookup;

import io.fairwatch.collector.lookup.JobView.GpuLine;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.GpuReadingAt;
import io.fairwatch.collector.store.GpuSeries;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.JobUse;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Slots;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.usage.Horizon;
import io.fairwatch.collector.usage.LiveRuns;
import io.fairwatch.collector.usage.LiveRuns.RunCourse;
import io.fairwatch.collector.usage.LiveRuns.RunUse;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Puts together what is known of a job. Thread-safe; blocks on the store. */
public final class JobLookup {
    private static final int MOST_WAITING = 10;
    private static final int MOST_RUNS = 50;
    private static final int MOST_STRIPS = 8;

    private final Store store;
    private final InstantSource clock;
    private final Settings settings;
    private final LiveRuns live;

    /**
     * How to look.
     *
     * @param busyAboveRatio a reading above this counts as busy
     * @param staleAfter Slurm's answers older than this are called stale
     */
    public record Settings(double busyAboveRatio, Duration staleAfter) {}

    /** Asks the store for everything. */
    public JobLookup(Store store, InstantSource clock, Settings settings) {
        this(store, clock, settings, new LiveRuns(settings.busyAboveRatio()));
    }

    /** @param live what running jobs did, kept up to date by somebody; the store is asked about those it does not know */
    public JobLookup(Store store, InstantSource clock, Settings settings, LiveRuns live) {
        this.store = store;
        this.clock = clock;
        this.settings = settings;
        this.live = live;
    }

    /** What became of a question about a job. */
    public sealed interface Answer {
        /**
         * The job has run, or runs.
         *
         * @param views the newest run of each of its parts, the last started first, at most 50
         * @param more how many parts were left out
         * @param waiting what of it waits: tasks of its array that have not started, or itself again after it was requeued
         */
        record Found(List<JobView> views, int more, List<PendingJob> waiting) implements Answer {}

        /** It waits. */
        record Pending(PendingJob job) implements Answer {}

        /** Nobody knows it. */
        record Unknown(String id, Optional<Instant> slurmAsOf) implements Answer {}
    }

    /**
     * Looks for a job.
     *
     * @param id as people write it: {@code 83549}, {@code 83549_3}, {@code 83549+1}
     * @throws IllegalArgumentException if it is no job id
     */
    public Answer find(String id) throws StoreException {
        JobId asked = JobId.parse(id);
        Instant now = clock.instant();
        Optional<SlurmView> slurm = store.view();
        List<Run> runs =
                store.runsOf(asked.number()).stream().filter(asked::isOf).toList();
        List<PendingJob> waiting = slurm.stream()
                .flatMap(view -> view.pending().stream())
                .filter(job -> asked.isOf(job.jobId(), job.displayId()))
                .toList();
        if (runs.isEmpty()) {
            return waiting.stream()
                    .findFirst()
                    .<Answer>map(Answer.Pending::new)
                    .orElse(new Answer.Unknown(asked.text(), slurm.map(SlurmView::at)));
        }
        Map<Long, List<Run>> byJob = runs.stream()
                .sorted(Comparator.comparing((Run run) -> run.key().start()).reversed())
                .collect(Collectors.groupingBy(run -> run.key().jobId(), LinkedHashMap::new, Collectors.toList()));
        String user = byJob.values().iterator().next().get(0).owner().user();
        return new Answer.Found(
                views(byJob, slurm, now),
                Math.max(0, byJob.size() - MOST_RUNS),
                // numbers come back, perhaps as somebody else's
                waiting.stream()
                        .filter(job -> job.owner().user().equals(user))
                        .limit(MOST_WAITING)
                        .toList());
    }

    /**
     * Draws each run's GPUs over its life, by run; runs of which nothing is known are left out, and so are all but the
     * first few.
     */
    public Map<RunKey, String> strips(Answer.Found found, Strip strip, ZoneId zone) throws StoreException {
        Map<RunKey, String> strips = new HashMap<>();
        for (JobView view :
                found.views().subList(0, Math.min(MOST_STRIPS, found.views().size()))) {
            List<String> names = view.gpus().stream()
                    .map(gpu -> JobText.shortName(gpu.whole()))
                    .toList();
            Instant to = view.gpus().stream()
                    .map(gpu -> gpu.whole().to())
                    .max(Comparator.naturalOrder())
                    .orElse(view.run().key().start());
            if (!to.isAfter(view.run().key().start())) {
                continue;
            }
            int columns = strip.columns(names);
            Optional<RunCourse> course = view.run().end().isPresent()
                    ? Optional.empty()
                    : live.course(
                            view.run(), view.gpus().stream().map(GpuLine::whole).toList(), to, columns);
            Slots slots = course.isPresent()
                    ? course.get().slots()
                    : Slots.atMost(view.run().key().start(), to, columns);
            List<GpuSeries> all = course.isPresent()
                    ? course.get().gpus()
                    : store.gpuSeries(new RunSpan(view.run(), view.run().key().start(), to), slots);
            List<GpuSeries> series =
                    all.stream().filter(gpu -> names.contains(Strip.name(gpu))).toList();
            if (series.stream().anyMatch(gpu -> !gpu.points().isEmpty())) {
                strips.put(view.run().key(), strip.render(series, slots, Strip::name, zone));
            }
        }
        return strips;
    }

    private List<JobView> views(Map<Long, List<Run>> byJob, Optional<SlurmView> slurm, Instant now)
            throws StoreException {
        List<Run> newest = byJob.values().stream()
                .map(list -> list.get(0))
                .limit(MOST_RUNS)
                .toList();
        Map<String, NodeState> nodes = store
                .nodes(newest.stream()
                        .flatMap(run -> run.allocation().nodes().stream())
                        .collect(Collectors.toSet()))
                .stream()
                .collect(Collectors.toMap(NodeState::node, Function.identity()));
        Map<Run, RunUse> known = new HashMap<>();
        newest.forEach(run -> live.use(run, nodes, now).ifPresent(use -> known.put(run, use)));
        Map<Run, RunSpan> spans = new LinkedHashMap<>();
        newest.stream()
                .filter(run -> !known.containsKey(run))
                .forEach(run -> spans.put(run, new RunSpan(run, run.key().start(), Horizon.of(run, nodes, now))));
        // both spans of all runs in one question; those of a run younger than an hour are the same
        Set<RunSpan> asked = new LinkedHashSet<>(spans.values());
        spans.values().forEach(span -> asked.add(lastHour(span)));
        List<GpuUse> uses = asked.isEmpty() ? List.of() : store.gpuUse(asked, settings.busyAboveRatio());
        Map<RunKey, JobUse> cpu = (asked.isEmpty() ? List.<JobUse>of() : store.jobUse(spans.values()))
                .stream().collect(Collectors.toMap(JobUse::run, Function.identity(), (a, b) -> a));
        List<JobView> views = new ArrayList<>();
        for (Run run : newest) {
            List<NodeState> seen = run.allocation().nodes().stream()
                    .map(nodes::get)
                    .filter(node -> node != null)
                    .toList();
            RunUse use = known.get(run);
            if (use == null) {
                RunSpan span = Objects.requireNonNull(spans.get(run));
                List<GpuUse> whole = within(span, uses);
                use = new RunUse(
                        whole,
                        within(lastHour(span), uses),
                        Optional.ofNullable(cpu.get(run.key())),
                        newestReadings(whole, run, now));
            }
            List<GpuLine> lines = lines(use.whole(), use.lastHour(), use.newest());
            Instant slurmAsOf = run.end().isPresent()
                    ? run.asOf()
                    : slurm.map(SlurmView::at).orElse(run.asOf());
            views.add(new JobView(
                    now,
                    run,
                    byJob.getOrDefault(run.key().jobId(), List.of()).size() - 1,
                    slurmAsOf,
                    run.end().isEmpty() && stale(run, slurmAsOf, now),
                    lines,
                    use.job(),
                    seen.stream().map(NodeState::period).max(Comparator.naturalOrder()),
                    run.allocation().nodes().stream()
                            .filter(name -> silent(nodes.get(name), run))
                            .toList(),
                    seen.stream().flatMap(node -> node.simulated().stream()).findFirst(),
                    store.findingsOf(run.key().jobId()).stream()
                            .filter(finding -> finding.subject().equals(run.key()))
                            .map(finding -> FindingLine.of(finding, List.of()))
                            .toList()));
        }
        return views;
    }

    private boolean stale(Run run, Instant slurmAsOf, Instant now) {
        return slurmAsOf.isBefore(now.minus(settings.staleAfter()))
                || run.asOf().isBefore(slurmAsOf);
    }

    private static boolean silent(@Nullable NodeState node, Run run) {
        return node == null || node.lastAt().isBefore(run.key().start());
    }

    private static RunSpan lastHour(RunSpan whole) {
        Instant from = LiveRuns.hourBefore(whole.to());
        return !from.isAfter(whole.from()) ? whole : new RunSpan(whole.run(), from, whole.to());
    }

    private static List<GpuUse> within(RunSpan span, List<GpuUse> uses) {
        return uses.stream()
                .filter(use -> use.run().equals(span.run().key()) && use.from().equals(span.from()))
                .toList();
    }

    private Map<String, GpuReadingAt> newestReadings(Collection<GpuUse> uses, Run run, Instant now)
            throws StoreException {
        List<String> uuids = uses.stream()
                .flatMap(use -> use.device().stream())
                .map(d -> d.uuid())
                .toList();
        Map<String, GpuReadingAt> newest = new HashMap<>();
        for (GpuReadingAt reading : store.newestReadings(uuids, run.end().orElse(now))) {
            if (!reading.at().isBefore(run.key().start())) {
                newest.put(reading.reading().device().uuid(), reading);
            }
        }
        return newest;
    }

    private static List<GpuLine> lines(List<GpuUse> whole, List<GpuUse> lastHour, Map<String, GpuReadingAt> newest) {
        List<GpuLine> lines = new ArrayList<>();
        for (GpuUse use : whole) {
            GpuUse hour = lastHour.stream()
                    .filter(other -> same(use, other))
                    .findFirst()
                    .orElse(null);
            if (hour == null) {
                continue; // used once, but not in the last hour: not one of its GPUs now
            }
            lines.add(new GpuLine(
                    hour, use, use.device().flatMap(device -> Optional.ofNullable(newest.get(device.uuid())))));
        }
        lines.sort(Comparator.comparing((GpuLine line) -> line.whole().node())
                .thenComparing(line ->
                        line.whole().allocated().map(AllocatedGpu::gresIndex).orElse(Integer.MAX_VALUE))
                .thenComparing(line -> line.whole().device().map(d -> d.index()).orElse(Integer.MAX_VALUE)));
        return lines;
    }

    private static boolean same(GpuUse a, GpuUse b) {
        return a.node().equals(b.node())
                && a.allocated()
                        .map(AllocatedGpu::gresIndex)
                        .equals(b.allocated().map(AllocatedGpu::gresIndex))
                && a.device().map(d -> d.uuid()).equals(b.device().map(d -> d.uuid()));
    }
}
