package io.fairwatch.collector.judge;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.GpuSeen;
import io.fairwatch.collector.store.GpuSlot;
import io.fairwatch.collector.store.JobSlot;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.rules.GpuFacts;
import io.fairwatch.rules.JobFacts;
import io.fairwatch.rules.JobNode;
import io.fairwatch.rules.JobUse;
import io.fairwatch.rules.QueueFacts;
import io.fairwatch.rules.Rule;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.RuleSet.RuleException;
import io.fairwatch.rules.Verdict;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.BooleanSupplier;
import java.util.function.DoubleConsumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Says what a rule would have done on what is stored; the rule is asked as it would be in force. Thread-safe; blocks on the
 * store.
 *
 * <p>A rule about running jobs goes through the time once, a day at a time, in slots of five minutes, and keeps of each run only
 * the window. Rules about finished jobs and about users are asked as {@link Judge} asks them, of the same facts by the same
 * code: a finished job once, see {@link FinishedBacktest}; users once a day, see {@link UserBacktest}. Of jobs that wait, and of
 * nodes, only the present is kept, so that nothing can be rehearsed.
 *
 * <p>What differs from real judging of running jobs: steps are five minutes at least, and a twelfth of the window; processes on a GPU are
 * anybody's, since the GPU is the run's; nodes have the shape, and GPUs the power limit, that they have now; who waited then
 * is not known; other rules, exemptions in
 * the store and quiet hours play no part.
 */
public final class Backtest {
    private static final Duration DAY = Duration.ofDays(1);
    private static final double SEEN_WELL = 0.9;

    private final Store store;
    private final Supplier<RuleSet> rules;
    private final double busyAboveRatio;

    /**
     * What is to be rehearsed. Immutable.
     *
     * @param rule name of the rule
     * @param from begin of the time
     * @param to end of the time
     * @param settings what is to be different, as texts by key
     * @param cancelAfter how long after the owner was told a job would be ended, where the rule allows it
     */
    public record Plan(String rule, Instant from, Instant to, Map<String, String> settings, Duration cancelAfter) {
        public Plan {
            settings = Map.copyOf(settings);
            if (!from.isBefore(to)) {
                throw new IllegalArgumentException("since: " + from + " (expected: before " + to + ")");
            }
            if (Duration.between(from, to).compareTo(Duration.ofDays(400)) > 0) {
                throw new IllegalArgumentException("since: " + from + " (expected: at most 400 days before the end)");
            }
        }
    }

    /**
     * What would have come of it. Immutable.
     *
     * @param rule name of the rule
     * @param from begin of the time
     * @param to end of the time
     * @param scope what the rule is about
     * @param runs runs that lived in it; with GPUs, if the rule is about running jobs and does not ask about CPU time or memory;
     *     those that ended in it, if it is about finished jobs
     * @param judgements how often the rule was asked
     * @param unknown how often not enough was known
     * @param told episodes whose owner would have been told; of finished jobs, which are not told of, notes in lookups and
     *     reports
     * @param cancelled runs that would have been ended
     * @param gpuHoursAfterTold GPU-hours that the meant GPUs were held after the owner was told, until they worked again or
     *     the run ended; absent where the rule is about no running job
     * @param gpuHoursSaved GPU-hours between the moment at which runs would have been ended and their end; absent likewise
     * @param recovered told episodes that ended by themselves: the owner acted, or it was a false alarm
     * @param wronglyCancelled runs that would have been ended and worked again afterwards: probable false alarms
     * @param episodes each of them, by time
     */
    public record Outcome(
            String rule,
            Instant from,
            Instant to,
            Rule.Scope scope,
            int runs,
            long judgements,
            long unknown,
            int told,
            int cancelled,
            OptionalDouble gpuHoursAfterTold,
            OptionalDouble gpuHoursSaved,
            int recovered,
            int wronglyCancelled,
            List<Episode> episodes) {
        public Outcome {
            episodes = List.copyOf(episodes);
        }
    }

    /**
     * One time that an owner would have been told. Immutable.
     *
     * @param job as people write it; empty if it is about a user
     * @param user whose it is
     * @param gpus GPUs of the run; 0 if it is about a user
     * @param since when the condition was first seen to hold
     * @param toldAt when the owner would have been told
     * @param cancelledAt when the run would have been ended; absent: not
     * @param recoveredAt when the condition ceased to hold; absent: not before the end
     * @param end when the run ended; absent: it had not by then
     * @param summary what the owner would have read
     * @param gpuHoursSaved from {@code cancelledAt} to the end of the run
     */
    public record Episode(
            String job,
            String user,
            int gpus,
            Instant since,
            Instant toldAt,
            Optional<Instant> cancelledAt,
            Optional<Instant> recoveredAt,
            Optional<Instant> end,
            String summary,
            double gpuHoursSaved) {}

    public Backtest(Store store, Supplier<RuleSet> rules, double busyAboveRatio) {
        this.store = store;
        this.rules = rules;
        this.busyAboveRatio = busyAboveRatio;
    }

    /**
     * Rehearses.
     *
     * @param progress is told how much is done, 0..1
     * @param stopped asked now and then whether nobody wants the answer any more
     * @throws RuleException if there is no such rule, or a setting is wrong
     * @throws IllegalArgumentException if the rule is about what is not kept of the past
     */
    public Outcome rehearse(Plan plan, DoubleConsumer progress, BooleanSupplier stopped)
            throws StoreException, RuleException {
        RuleSet set = rules.get().changed("--set", plan.rule(), plan.settings());
        Rule rule = set.rules().stream()
                .filter(one -> one.name().equals(plan.rule()))
                .findFirst()
                .orElseThrow();
        return switch (rule.scope()) {
            case RUNNING_JOB -> ofRunning(set, rule, plan, progress, stopped);
            case FINISHED_JOB -> new FinishedBacktest(store, busyAboveRatio, set, rule, plan).run(progress, stopped);
            case USER -> ofUsers(set, rule, plan, progress, stopped);
            case PENDING_JOB ->
                throw new IllegalArgumentException("rule: " + rule.name()
                        + " is about jobs that wait (expected: one about running or finished jobs, or users; of the queue only"
                        + " Slurm's newest answer is kept, not who waited then, for what and why)");
            case NODE ->
                throw new IllegalArgumentException("rule: " + rule.name()
                        + " is about nodes (expected: one about running or finished jobs, or users; what Slurm said of a node,"
                        + " and what lay in its directories, is kept of now only)");
        };
    }

    private Outcome ofUsers(RuleSet set, Rule rule, Plan plan, DoubleConsumer progress, BooleanSupplier stopped)
            throws StoreException {
        if (rule.expressions().says("director") || rule.expressions().names("jobs_pending")) {
            throw new IllegalArgumentException("rule: " + rule.name() + " asks about "
                    + (rule.expressions().says("director") ? "directories" : "jobs that wait")
                    + " (expected: one about runs; of these only the present is kept)");
        }
        return new UserBacktest(store, busyAboveRatio, set, rule, plan).run(progress, stopped);
    }

    private Outcome ofRunning(RuleSet set, Rule rule, Plan plan, DoubleConsumer progress, BooleanSupplier stopped)
            throws StoreException {
        if (rule.expressions().says("!gpu.allocated") || rule.expressions().names("gpus_seen")) {
            throw new IllegalArgumentException(
                    "rule: " + rule.name()
                            + " asks about GPUs that a job was not given (expected: another; by five minutes that is not kept)");
        }
        return new Rehearsal(set, rule, plan).run(progress, stopped);
    }

    /** One rehearsal. Confined to one thread. */
    private final class Rehearsal {
        private final RuleSet set;
        private final Rule rule;
        private final Plan plan;
        private final long windowMs;
        private final long stepMs;
        private final Map<String, GpuDevice> devices;
        private final Cluster cluster;
        private final boolean wantsDetail;
        private final boolean wantsJobs;
        private final boolean wantsTogether;
        private final Map<String, Double> powerLimits = new HashMap<>();
        private final Map<Run, Track> tracks = new HashMap<>();
        private final List<Episode> episodes = new ArrayList<>();
        private int runs;
        private long judgements;
        private long unknown;
        private double hoursAfterTold;

        Rehearsal(RuleSet set, Rule rule, Plan plan) throws StoreException {
            this.set = set;
            this.rule = rule;
            this.plan = plan;
            this.windowMs = rule.timing().window().toMillis();
            this.stepMs = Math.max(GpuSlot.LENGTH_MS, windowMs / 12 / GpuSlot.LENGTH_MS * GpuSlot.LENGTH_MS);
            this.devices = store.gpus().stream()
                    .collect(Collectors.toMap(seen -> seen.device().uuid(), GpuSeen::device, (a, b) -> a));
            Rule.Expressions asks = rule.expressions();
            this.wantsDetail =
                    Stream.of("memory_traffic", "sm_", "tensor_", "dram_").anyMatch(asks::names);
            this.wantsJobs = asks.names("cpu_seconds")
                    || asks.says("job.memory_used_max_bytes")
                    || asks.says("job.processes_max");
            this.wantsTogether = asks.names("gpus_together_max");
            if (asks.names("power_limit_watts")) {
                store.newestReadings(devices.keySet(), plan.to()).forEach(newest -> newest.reading()
                        .powerLimitWatts()
                        .ifPresent(limit ->
                                powerLimits.put(newest.reading().device().uuid(), limit)));
            }
            // nodes are as they are now: their shape of then is not kept
            this.cluster = new Cluster(
                    store.view().orElse(new SlurmView(plan.from(), "", List.of(), List.of(), List.of())), List.of());
        }

        Outcome run(DoubleConsumer progress, BooleanSupplier stopped) throws StoreException {
            double whole = Duration.between(plan.from(), plan.to()).toMillis();
            Instant day = plan.from();
            while (day.isBefore(plan.to()) && !stopped.getAsBoolean()) {
                Instant next = day.plus(DAY).isBefore(plan.to()) ? day.plus(DAY) : plan.to();
                day(day, next);
                day = next;
                progress.accept(Duration.between(plan.from(), day).toMillis() / whole);
            }
            tracks.values().forEach(Track::finish);
            episodes.sort(Comparator.comparing(Episode::toldAt));
            return new Outcome(
                    rule.name(),
                    plan.from(),
                    plan.to(),
                    rule.scope(),
                    runs,
                    judgements,
                    unknown,
                    episodes.size(),
                    (int) episodes.stream()
                            .filter(one -> one.cancelledAt().isPresent())
                            .count(),
                    OptionalDouble.of(hoursAfterTold),
                    OptionalDouble.of(episodes.stream()
                            .mapToDouble(Episode::gpuHoursSaved)
                            .sum()),
                    (int) episodes.stream()
                            .filter(one -> one.recoveredAt().isPresent())
                            .count(),
                    (int) episodes.stream()
                            .filter(one -> one.cancelledAt().isPresent()
                                    && one.recoveredAt().isPresent())
                            .count(),
                    episodes);
        }

        private void day(Instant from, Instant to) throws StoreException {
            List<Run> living = store.runsWithin(from, to).stream()
                    .filter(run -> wantsJobs
                            || run.gpus().stream().anyMatch(gpu -> gpu.uuid().isPresent()))
                    .toList();
            List<RunSpan> spans = living.stream()
                    .map(run -> new RunSpan(run, run.key().start(), run.end().orElse(to)))
                    .toList();
            List<Track> places = new ArrayList<>(living.size());
            for (Run run : living) {
                Track track = tracks.get(run);
                if (track == null) {
                    track = new Track(run, from);
                    tracks.put(run, track);
                    runs++;
                }
                places.add(track);
            }
            List<GpuSlot> gpus = store.gpuSlots(spans, from, to, busyAboveRatio, wantsDetail);
            List<JobSlot> jobs = wantsJobs ? store.jobSlots(spans, from, to) : List.of();
            int gpu = 0;
            int job = 0;
            while (gpu < gpus.size() || job < jobs.size()) {
                long slot = Math.min(
                        gpu < gpus.size() ? gpus.get(gpu).at().toEpochMilli() : Long.MAX_VALUE,
                        job < jobs.size() ? jobs.get(job).at().toEpochMilli() : Long.MAX_VALUE);
                for (; gpu < gpus.size() && gpus.get(gpu).at().toEpochMilli() == slot; gpu++) {
                    places.get(gpus.get(gpu).run()).add(gpus.get(gpu));
                }
                for (; job < jobs.size() && jobs.get(job).at().toEpochMilli() == slot; job++) {
                    places.get(jobs.get(job).run()).add(jobs.get(job));
                }
                judge(places, slot + GpuSlot.LENGTH_MS);
            }
            tracks.entrySet().removeIf(entry -> {
                boolean over =
                        entry.getKey().end().filter(end -> !end.isAfter(to)).isPresent();
                if (over) {
                    entry.getValue().finish();
                }
                return over;
            });
        }

        private void judge(List<Track> places, long atMs) {
            if (atMs % stepMs == 0) {
                for (Track track : places) {
                    track.judge(atMs);
                }
            }
        }

        /** What is known of one run. Confined to the rehearsal. */
        private final class Track {
            private final Run run;
            private final long startMs;
            private final long endMs;
            private final long seenFromMs;
            private final Map<String, Ring> rings = new HashMap<>();
            private final Map<String, NodeRing> nodes = new HashMap<>();
            private Optional<Instant> since = Optional.empty();
            private Optional<Instant> toldAt = Optional.empty();
            private Optional<Instant> cancelledAt = Optional.empty();
            private Optional<Instant> clearSince = Optional.empty();
            private String summary = "";
            private int meant;

            Track(Run run, Instant from) {
                this.run = run;
                this.startMs = run.key().start().toEpochMilli();
                this.endMs = run.end().map(Instant::toEpochMilli).orElse(Long.MAX_VALUE);
                this.seenFromMs = Math.max(startMs, from.toEpochMilli());
                for (AllocatedGpu gpu : run.gpus()) {
                    gpu.uuid().ifPresent(uuid -> rings.put(uuid, new Ring(gpu)));
                }
            }

            void add(GpuSlot slot) {
                Ring ring = rings.get(slot.uuid());
                if (ring != null) {
                    ring.add(slot);
                }
            }

            void add(JobSlot slot) {
                if (run.allocation().nodes().contains(slot.node())) {
                    nodes.computeIfAbsent(slot.node(), first -> new NodeRing()).add(slot);
                }
            }

            void judge(long atMs) {
                if (atMs <= startMs || atMs > endMs) {
                    return;
                }
                long lived = atMs - startMs;
                if (lived < rule.timing().warmUp().toMillis() || atMs - seenFromMs < Math.min(windowMs, lived)) {
                    return; // too young, or the window reaches back before what was looked at
                }
                Instant at = Instant.ofEpochMilli(atMs);
                List<GpuFacts> gpus = new ArrayList<>(rings.size());
                rings.values().forEach(ring -> gpus.add(ring.facts(atMs, startMs, seenFromMs)));
                List<JobNode> of = wantsJobs ? nodes(atMs) : List.of();
                Verdict verdict = set.judge(
                        rule,
                        new JobFacts(
                                FactMaker.allocation(run, rule.timing().window(), at, cluster),
                                use(of, Math.max(atMs - windowMs, startMs), atMs),
                                at.minusMillis(windowMs),
                                at,
                                gpus,
                                of,
                                QueueFacts.NOT_KNOWN));
                judgements++;
                take(verdict, at);
            }

            private List<JobNode> nodes(long atMs) {
                long fromMs = Math.max(atMs - windowMs, startMs);
                List<JobNode> all = new ArrayList<>();
                for (String name : run.allocation().nodes()) {
                    OptionalInt held =
                            run.gpus().isEmpty() && run.allocation().gpus().orElse(0) > 0
                                    ? OptionalInt.empty()
                                    : OptionalInt.of((int) run.gpus().stream()
                                            .filter(gpu -> gpu.node().equals(name))
                                            .count());
                    NodeRing seen = nodes.get(name);
                    all.add(seen == null ? JobNode.notSeen(name, held) : seen.facts(name, held, fromMs, atMs));
                }
                return all;
            }

            /** CPU time and memory are those of all nodes, seen well, or not known; as {@link FactMaker} has it. */
            private JobUse use(List<JobNode> all, long fromMs, long atMs) {
                boolean whole = !all.isEmpty() && all.stream().allMatch(node -> node.coverage() >= SEEN_WELL);
                Map<Long, Long> memory = new HashMap<>();
                Map<Long, Integer> processes = new HashMap<>();
                Map<Long, Integer> busy = new HashMap<>();
                nodes.values().forEach(ring -> ring.within(fromMs).forEach(slot -> {
                    long at = slot.at().toEpochMilli();
                    slot.memoryUsedMaxBytes().ifPresent(bytes -> memory.merge(at, bytes, Long::sum));
                    slot.processesMax().ifPresent(count -> processes.merge(at, count, Integer::sum));
                }));
                if (wantsTogether) {
                    rings.values().forEach(ring -> ring.within(fromMs)
                            .filter(slot -> slot.measuredMs() > 0)
                            .forEach(slot ->
                                    busy.merge(slot.at().toEpochMilli(), slot.busyMs() > 0 ? 1 : 0, Integer::sum)));
                }
                return new JobUse(
                        most(processes),
                        whole && all.stream().allMatch(node -> node.cpuSeconds().isPresent())
                                ? OptionalDouble.of(all.stream()
                                        .mapToDouble(node -> node.cpuSeconds().orElse(0))
                                        .sum())
                                : OptionalDouble.empty(),
                        whole
                                ? memory.values().stream()
                                        .mapToLong(Long::longValue)
                                        .max()
                                : OptionalLong.empty(),
                        most(busy),
                        OptionalLong.of((atMs - fromMs) / 1000));
            }

            private OptionalInt most(Map<Long, Integer> counts) {
                return counts.values().stream().mapToInt(Integer::intValue).max();
            }

            private void take(Verdict verdict, Instant at) {
                if (verdict instanceof Verdict.Unknown) {
                    unknown++;
                } else if (verdict instanceof Verdict.Finding finding) {
                    clearSince = Optional.empty();
                    since = since.or(() -> Optional.of(at));
                    if (toldAt.isEmpty()
                            && Duration.between(since.get(), at)
                                            .compareTo(rule.timing().hold())
                                    >= 0) {
                        toldAt = Optional.of(at);
                        summary = finding.summary();
                        meant = Math.max(1, finding.selected().size());
                    }
                    if (toldAt.isPresent()
                            && cancelledAt.isEmpty()
                            && finding.cancellable()
                            && Duration.between(toldAt.get(), at).compareTo(plan.cancelAfter()) >= 0) {
                        cancelledAt = Optional.of(at);
                    }
                } else if (toldAt.isEmpty()) {
                    since = Optional.empty();
                } else {
                    clearSince = clearSince.or(() -> Optional.of(at));
                    if (Duration.between(clearSince.get(), at)
                                    .compareTo(rule.timing().resolveAfter())
                            >= 0) {
                        close();
                    }
                }
            }

            /** The run, or the time, is over. */
            void finish() {
                if (toldAt.isPresent()) {
                    close();
                }
            }

            private void close() {
                Instant last = run.end().filter(end -> end.isBefore(plan.to())).orElse(plan.to());
                Instant until = clearSince.orElse(last);
                hoursAfterTold += meant
                        * Math.max(
                                0, Duration.between(toldAt.orElseThrow(), until).toSeconds())
                        / 3600.0;
                double saved = cancelledAt
                        .map(at -> run.gpus().size()
                                * Math.max(0, Duration.between(at, last).toSeconds())
                                / 3600.0)
                        .orElse(0.0);
                episodes.add(new Episode(
                        run.displayId(),
                        run.owner().user(),
                        run.gpus().size(),
                        since.orElse(toldAt.get()),
                        toldAt.get(),
                        cancelledAt,
                        clearSince,
                        run.end(),
                        summary,
                        saved));
                since = Optional.empty();
                toldAt = Optional.empty();
                cancelledAt = Optional.empty();
                clearSince = Optional.empty();
            }
        }

        /** The window of a run's job on one node. Confined to the rehearsal. */
        private final class NodeRing {
            private final JobSlot[] slots = new JobSlot[(int) Math.max(1, windowMs / GpuSlot.LENGTH_MS) + 1];
            /** CPU time of each of them, from the counter of the one before on; NaN: not known. */
            private final double[] cpuSeconds = new double[slots.length];

            private int next;
            private double lastCpuSeconds = Double.NaN;

            void add(JobSlot slot) {
                slots[next] = slot;
                double first =
                        Double.isNaN(lastCpuSeconds) ? slot.cpuFirstSeconds().orElse(Double.NaN) : lastCpuSeconds;
                cpuSeconds[next] = Math.max(0, slot.cpuLastSeconds().orElse(Double.NaN) - first);
                // of one node and time there may be two rows, when some came late: the counter never falls within a run
                lastCpuSeconds = Double.isNaN(lastCpuSeconds)
                        ? slot.cpuLastSeconds().orElse(Double.NaN)
                        : Math.max(lastCpuSeconds, slot.cpuLastSeconds().orElse(lastCpuSeconds));
                next = (next + 1) % slots.length;
            }

            private static boolean isWithin(@Nullable JobSlot slot, long fromMs) {
                return slot != null && slot.at().toEpochMilli() + GpuSlot.LENGTH_MS > fromMs;
            }

            Stream<JobSlot> within(long fromMs) {
                return Arrays.stream(slots).filter(slot -> isWithin(slot, fromMs));
            }

            JobNode facts(String name, OptionalInt held, long fromMs, long atMs) {
                long covered = 0;
                double cpu = 0;
                boolean known = false;
                OptionalLong memory = OptionalLong.empty();
                OptionalInt processes = OptionalInt.empty();
                for (int i = 0; i < slots.length; i++) {
                    JobSlot slot = slots[i];
                    if (slot == null || !isWithin(slot, fromMs)) {
                        continue;
                    }
                    covered += slot.coveredMs();
                    if (!Double.isNaN(cpuSeconds[i])) {
                        known = true;
                        cpu += cpuSeconds[i];
                    }
                    if (slot.memoryUsedMaxBytes().isPresent()) {
                        memory = OptionalLong.of(Math.max(
                                memory.orElse(0), slot.memoryUsedMaxBytes().getAsLong()));
                    }
                    if (slot.processesMax().isPresent()) {
                        processes = OptionalInt.of(Math.max(
                                processes.orElse(0), slot.processesMax().getAsInt()));
                    }
                }
                return new JobNode(
                        name,
                        held,
                        OptionalInt.empty(),
                        known ? OptionalDouble.of(cpu) : OptionalDouble.empty(),
                        memory,
                        processes,
                        atMs > fromMs ? Math.min(1, (double) covered / (atMs - fromMs)) : 0);
            }
        }

        /** The window of one GPU of a run. Confined to the rehearsal. */
        private final class Ring {
            private final AllocatedGpu gpu;
            private final GpuSlot[] slots = new GpuSlot[(int) Math.max(1, windowMs / GpuSlot.LENGTH_MS) + 1];
            private int next;
            private long lastBusyMs = Long.MIN_VALUE;
            private long everCoveredMs;

            Ring(AllocatedGpu gpu) {
                this.gpu = gpu;
            }

            void add(GpuSlot slot) {
                slots[next] = slot;
                next = (next + 1) % slots.length;
                everCoveredMs += slot.coveredMs();
                if (slot.busyMs() > 0) {
                    lastBusyMs = slot.at().toEpochMilli() + GpuSlot.LENGTH_MS;
                }
            }

            Stream<GpuSlot> within(long fromMs) {
                return Arrays.stream(slots)
                        .filter(slot -> slot != null && slot.at().toEpochMilli() + GpuSlot.LENGTH_MS > fromMs);
            }

            private OptionalDouble mean(long fromMs, Function<GpuSlot, OptionalDouble> value) {
                return within(fromMs)
                        .map(value)
                        .filter(OptionalDouble::isPresent)
                        .mapToDouble(OptionalDouble::getAsDouble)
                        .average();
            }

            GpuFacts facts(long atMs, long startMs, long seenFromMs) {
                long from = Math.max(atMs - windowMs, startMs);
                long covered = 0;
                long measured = 0;
                long busy = 0;
                double used = 0;
                double power = 0;
                int powers = 0;
                OptionalDouble most = OptionalDouble.empty();
                OptionalLong memory = OptionalLong.empty();
                OptionalInt processes = OptionalInt.empty();
                for (GpuSlot slot : slots) {
                    if (slot == null || slot.at().toEpochMilli() + GpuSlot.LENGTH_MS <= from) {
                        continue;
                    }
                    covered += slot.coveredMs();
                    measured += slot.measuredMs();
                    busy += slot.busyMs();
                    used += slot.usedMs();
                    if (slot.powerMeanWatts().isPresent()) {
                        power += slot.powerMeanWatts().getAsDouble();
                        powers++;
                    }
                    if (slot.utilizationMaxRatio().isPresent()) {
                        most = OptionalDouble.of(Math.max(
                                most.orElse(0), slot.utilizationMaxRatio().getAsDouble()));
                    }
                    if (slot.memoryUsedMaxBytes().isPresent()) {
                        memory = OptionalLong.of(Math.max(
                                memory.orElse(0), slot.memoryUsedMaxBytes().getAsLong()));
                    }
                    if (slot.processesMax().isPresent()) {
                        processes = OptionalInt.of(Math.max(
                                processes.orElse(0), slot.processesMax().getAsInt()));
                    }
                }
                double length = atMs - from;
                Optional<GpuDevice> device = gpu.uuid().map(devices::get);
                boolean doubtful =
                        switch (gpu.confidence()) {
                            case UNKNOWN, CONTRADICTED -> true;
                            case ASSUMED, CERTAIN, CONFIRMED -> false;
                        };
                boolean pastKnown = seenFromMs == startMs
                        && FactMaker.isWhollySeen(everCoveredMs / 1000.0, (atMs - startMs) / 1000.0);
                long idleFrom = lastBusyMs != Long.MIN_VALUE ? lastBusyMs : pastKnown ? startMs : from;
                double coverage = Math.min(1, (most.isPresent() ? Math.min(covered, measured) : covered) / length);
                return new GpuFacts(
                        gpu.node(),
                        gpu.uuid(),
                        OptionalInt.of(gpu.gresIndex()),
                        device.map(GpuDevice::name),
                        true,
                        coverage,
                        doubtful
                                ? GpuFacts.Use.NOT_KNOWN
                                : new GpuFacts.Use(
                                        measured > 0
                                                ? OptionalDouble.of(Math.min(1, used / measured))
                                                : OptionalDouble.empty(),
                                        most,
                                        memory,
                                        device.map(GpuDevice::memoryTotalBytes).orElse(OptionalLong.empty()),
                                        processes,
                                        most.isPresent()
                                                ? OptionalLong.of(Math.max(0, (atMs - idleFrom) / 1000))
                                                : OptionalLong.empty(),
                                        lastBusyMs != Long.MIN_VALUE
                                                ? Optional.of(true)
                                                : pastKnown ? Optional.of(false) : Optional.empty(),
                                        load(
                                                from,
                                                measured,
                                                busy,
                                                powers == 0
                                                        ? OptionalDouble.empty()
                                                        : OptionalDouble.of(power / powers))));
            }

            private GpuFacts.Load load(long from, long measured, long busy, OptionalDouble power) {
                Double limit = gpu.uuid().map(powerLimits::get).orElse(null);
                return new GpuFacts.Load(
                        measured > 0
                                ? OptionalDouble.of(Math.min(1, (double) busy / measured))
                                : OptionalDouble.empty(),
                        wantsDetail ? mean(from, GpuSlot::memoryUtilizationMeanRatio) : OptionalDouble.empty(),
                        power,
                        OptionalDouble.empty(),
                        limit == null ? OptionalDouble.empty() : OptionalDouble.of(limit),
                        OptionalDouble.empty(),
                        wantsDetail ? mean(from, GpuSlot::smMeanRatio) : OptionalDouble.empty(),
                        wantsDetail ? mean(from, GpuSlot::tensorMeanRatio) : OptionalDouble.empty(),
                        wantsDetail ? mean(from, GpuSlot::dramMeanRatio) : OptionalDouble.empty());
            }
        }
    }
}
