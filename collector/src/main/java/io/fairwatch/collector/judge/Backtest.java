package io.fairwatch.collector.judge;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.GpuSeen;
import io.fairwatch.collector.store.GpuSlot;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.rules.GpuFacts;
import io.fairwatch.rules.JobFacts;
import io.fairwatch.rules.Rule;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.RuleSet.RuleException;
import io.fairwatch.rules.Verdict;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
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
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * Says what a rule about running jobs would have done on what is stored. It goes through the time once, a day at a time, in
 * slots of five minutes, and keeps of each run only the window; the rule is asked as it would be in force. Thread-safe;
 * blocks on the store.
 *
 * <p>What differs from real judging: steps are five minutes at least, and a twelfth of the window; processes on a GPU are
 * anybody's, since the GPU is the run's; CPU time and memory of jobs are not known, so that rules that need them say
 * Unknown; other rules, exemptions in the store and quiet hours play no part.
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
     * @param runs runs with GPUs that lived in it
     * @param judgements how often the rule was asked
     * @param unknown how often not enough was known
     * @param told episodes whose owner would have been told
     * @param cancelled runs that would have been ended
     * @param gpuHoursAfterTold GPU-hours that the meant GPUs were held after the owner was told, until they worked again or
     *     the run ended
     * @param gpuHoursSaved GPU-hours between the moment at which runs would have been ended and their end
     * @param recovered told episodes that ended by themselves: the owner acted, or it was a false alarm
     * @param wronglyCancelled runs that would have been ended and worked again afterwards: probable false alarms
     * @param episodes each of them, by time
     */
    public record Outcome(
            String rule,
            Instant from,
            Instant to,
            int runs,
            long judgements,
            long unknown,
            int told,
            int cancelled,
            double gpuHoursAfterTold,
            double gpuHoursSaved,
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
     * @param job as people write it
     * @param user whose it is
     * @param gpus GPUs of the run
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
     * @throws IllegalArgumentException if the rule is not about running jobs
     */
    public Outcome rehearse(Plan plan, DoubleConsumer progress, BooleanSupplier stopped)
            throws StoreException, RuleException {
        RuleSet set = rules.get().changed("--set", plan.rule(), plan.settings());
        Rule rule = set.rules().stream()
                .filter(one -> one.name().equals(plan.rule()))
                .findFirst()
                .orElseThrow();
        if (rule.scope() != Rule.Scope.RUNNING_JOB) {
            throw new IllegalArgumentException(
                    "rule: " + rule.name() + " (expected: one about running jobs; others cannot be rehearsed)");
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
                    runs,
                    judgements,
                    unknown,
                    episodes.size(),
                    (int) episodes.stream()
                            .filter(one -> one.cancelledAt().isPresent())
                            .count(),
                    hoursAfterTold,
                    episodes.stream().mapToDouble(Episode::gpuHoursSaved).sum(),
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
                    .filter(run ->
                            run.gpus().stream().anyMatch(gpu -> gpu.uuid().isPresent()))
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
            long slot = Long.MIN_VALUE;
            for (GpuSlot reading : store.gpuSlots(spans, from, to, busyAboveRatio)) {
                long at = reading.at().toEpochMilli();
                if (at != slot && slot != Long.MIN_VALUE) {
                    judge(places, slot + GpuSlot.LENGTH_MS);
                }
                slot = at;
                places.get(reading.run()).add(reading);
            }
            if (slot != Long.MIN_VALUE) {
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
                Verdict verdict = set.judge(
                        rule,
                        new JobFacts(
                                FactMaker.allocation(run, rule.timing().window(), at, cluster),
                                io.fairwatch.rules.JobUse.NOT_KNOWN,
                                at.minusMillis(windowMs),
                                at,
                                gpus));
                judgements++;
                take(verdict, at);
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
                boolean pastKnown = seenFromMs == startMs && everCoveredMs >= SEEN_WELL * Math.max(1, atMs - startMs);
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
                                                measured,
                                                busy,
                                                powers == 0
                                                        ? OptionalDouble.empty()
                                                        : OptionalDouble.of(power / powers))));
            }

            private GpuFacts.Load load(long measured, long busy, OptionalDouble power) {
                return new GpuFacts.Load(
                        measured > 0
                                ? OptionalDouble.of(Math.min(1, (double) busy / measured))
                                : OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        power,
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        OptionalDouble.empty());
            }
        }
    }
}
