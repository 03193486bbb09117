package io.fairwatch.collector.usage;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.JobRef;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.GpuMoment;
import io.fairwatch.collector.store.GpuPast;
import io.fairwatch.collector.store.GpuSeen;
import io.fairwatch.collector.store.JobOnGpu;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * What every GPU did lately, and since when it is idle, in memory: asked of all GPUs of a large cluster at once, the store
 * would have to read a day of them. Told of each snapshot once it is committed; {@link #rebuild} makes it from the store.
 * Thread-safe.
 */
public final class LiveUse {
    /** A GPU is idle when nothing ran on it for at least so long. */
    public static final Duration LATELY = Duration.ofMinutes(5);

    /** How far back {@link #rebuild} looks; what is seen from then on is remembered for as long as this lives. */
    public static final Duration PAST = Duration.ofDays(1);

    private static final long LATELY_MS = LATELY.toMillis();
    /** What is kept beyond that, because a run's readings may end somewhat before the node's newest. */
    private static final long KEPT_MS = LATELY_MS + 120_000;

    private static final int MOST_GAPS = 16;
    private static final double SEEN_WELL = 0.98;
    private static final double SEEN_ENOUGH = 0.5;

    private final double busyAboveRatio;
    private final Map<String, Gpu> gpus = new ConcurrentHashMap<>();

    /** @param busyAboveRatio a period was busy when its largest sample is above this */
    public LiveUse(double busyAboveRatio) {
        this.busyAboveRatio = busyAboveRatio;
    }

    /**
     * A GPU lately.
     *
     * @param node its node
     * @param device what the node says of it
     * @param busyRatio mean utilisation over the last minutes of the run; absent without a reading
     * @param estimated whether other jobs were on it, too, so that {@code busyRatio} is the GPU's divided by the jobs
     * @param coverage share of these minutes that readings cover
     * @param idleSince since when nothing ran on it; absent: something did lately, or nobody knows
     * @param idleLonger whether it may be idle for longer: nobody looked further back, or readings are missing
     */
    public record Lately(
            String node,
            GpuDevice device,
            OptionalDouble busyRatio,
            boolean estimated,
            double coverage,
            Optional<Instant> idleSince,
            boolean idleLonger) {}

    /** A job whose process was seen; {@code uid}: that it must belong to, or -1 where a job's name cannot be invented. */
    record Sight(long jobId, int uid) {
        boolean isOf(Run run) {
            OptionalInt owner = run.owner().uid();
            return jobId == run.key().jobId() && (uid < 0 || owner.isEmpty() || owner.getAsInt() == uid);
        }
    }

    /** One period; ratios are NaN where the reading has none. */
    record Period(long atMs, int lengthMs, float mean, float max, List<Sight> sights) {
        long fromMs() {
            return atMs - lengthMs;
        }

        boolean tells() {
            return !Float.isNaN(max);
        }

        /** How many jobs had processes there. */
        long jobs() {
            return sights.size() < 2
                    ? sights.size()
                    : sights.stream().mapToLong(Sight::jobId).distinct().count();
        }
    }

    /** What was the same from period to period. */
    private static final class Stay {
        private final List<Sight> sights;
        private long lastAtMs;

        Stay(List<Sight> sights) {
            this.sights = sights;
        }
    }

    /** The last periods of a GPU, oldest first, as a few numbers each: a large cluster has a million of them. */
    static final class Periods {
        private static final int LENGTH = 1;
        private static final int MEAN = 2;
        private static final int MAX = 3;
        private static final int WORDS = 4;

        /** Of each: its end after {@link #zeroMs}, its length, and its ratios. */
        private int[] words = {};

        private int count;
        private long zeroMs;
        private final List<Stay> stays = new ArrayList<>(1);

        long atMs(int i) {
            return zeroMs + words[WORDS * i];
        }

        long lastAtMs() {
            return atMs(count - 1);
        }

        List<Period> list() {
            List<Period> list = new ArrayList<>(count);
            int stay = 0;
            for (int i = 0; i < count; i++) {
                stay = stayOf(i, stay);
                list.add(new Period(
                        atMs(i),
                        words[WORDS * i + LENGTH],
                        Float.intBitsToFloat(words[WORDS * i + MEAN]),
                        Float.intBitsToFloat(words[WORDS * i + MAX]),
                        stays.get(stay).sights));
            }
            return list;
        }

        private int stayOf(int i, int from) {
            int stay = from;
            while (stay < stays.size() - 1 && stays.get(stay).lastAtMs < atMs(i)) {
                stay++;
            }
            return stay;
        }

        /** One that follows all others; those that end before {@code fromMs} are forgotten. */
        void add(Period period, long fromMs) {
            int old = 0;
            while (old < count && atMs(old) < fromMs) {
                old++;
            }
            long firstMs = old < count ? atMs(old) : period.atMs();
            for (int i = old; i < count; i++) {
                words[WORDS * i] = Math.toIntExact(atMs(i) - firstMs);
            }
            zeroMs = firstMs;
            count -= old;
            int[] kept = (count + 1) * WORDS > words.length ? new int[(count + 1) * WORDS * 3 / 2] : words;
            System.arraycopy(words, WORDS * old, kept, 0, WORDS * count);
            words = kept;
            words[WORDS * count] = Math.toIntExact(period.atMs() - zeroMs);
            words[WORDS * count + LENGTH] = period.lengthMs();
            words[WORDS * count + MEAN] = Float.floatToRawIntBits(period.mean());
            words[WORDS * count + MAX] = Float.floatToRawIntBits(period.max());
            count++;
            stays.removeIf(stay -> stay.lastAtMs < firstMs);
            if (stays.isEmpty() || !stays.get(stays.size() - 1).sights.equals(period.sights())) {
                stays.add(new Stay(period.sights()));
            }
            stays.get(stays.size() - 1).lastAtMs = period.atMs();
        }

        void clear() {
            count = 0;
            stays.clear();
        }
    }

    private record Gap(long fromMs, long toMs) {
        long within(long from, long to) {
            return Math.max(0, Math.min(toMs, to) - Math.max(fromMs, from));
        }
    }

    // ---- what comes in

    /** Takes what was just committed. */
    public void take(Collection<NodeSnapshot> snapshots) {
        for (NodeSnapshot snapshot : snapshots) {
            for (GpuReading reading : snapshot.gpus()) {
                if (isSeen(reading)) {
                    gpus.computeIfAbsent(reading.device().uuid(), first -> new Gpu())
                            .take(
                                    snapshot.node(),
                                    reading.device(),
                                    new Period(
                                            snapshot.at().toEpochMilli(),
                                            Math.toIntExact(snapshot.period().toMillis()),
                                            reading.utilization()
                                                    .map(known -> (float) known.meanRatio())
                                                    .orElse(Float.NaN),
                                            reading.utilization()
                                                    .map(known -> (float) known.maxRatio())
                                                    .orElse(Float.NaN),
                                            sights(reading.processes().orElse(List.of()))));
                }
            }
        }
    }

    /** A GPU that is lost sends a last reading with nothing but its errors. */
    private static boolean isSeen(GpuReading reading) {
        return reading.utilization().isPresent()
                || reading.memoryUsedBytes().isPresent()
                || reading.powerWatts().isPresent()
                || reading.processes().isPresent();
    }

    private static List<Sight> sights(List<GpuProcess> processes) {
        if (processes.size() <= 1) { // nearly always
            return processes.isEmpty() || processes.get(0).job().isEmpty()
                    ? List.of()
                    : List.of(sight(processes.get(0), processes.get(0).job().get()));
        }
        return processes.stream()
                .flatMap(process -> process.job().stream().map(job -> sight(process, job)))
                .distinct()
                .toList();
    }

    private static Sight sight(GpuProcess process, JobRef job) {
        return new Sight(
                job.jobId(),
                job.evidence() == JobRef.Evidence.ENVIRON ? process.uid().orElse(-1) : -1);
    }

    /** Brings in what the store knows of the last day; snapshots may come meanwhile. */
    public void rebuild(Store store, Instant now) throws StoreException {
        Map<String, GpuSeen> seen = new HashMap<>();
        store.gpus().forEach(gpu -> seen.put(gpu.device().uuid(), gpu));
        Map<String, List<JobOnGpu>> jobs = new HashMap<>();
        Instant lately = now.minusMillis(KEPT_MS);
        store.jobsOnGpus(lately, now.plusSeconds(1))
                .forEach(job -> jobs.computeIfAbsent(job.uuid(), first -> new ArrayList<>())
                        .add(job));
        Map<String, List<Period>> periods = new HashMap<>();
        store.gpuMoments(
                lately, now.plusSeconds(1), moment -> periods.computeIfAbsent(moment.uuid(), first -> new ArrayList<>())
                        .add(period(moment, jobs.getOrDefault(moment.uuid(), List.of()))));
        Map<String, GpuPast> pasts = new HashMap<>();
        store.gpuPast(now.minus(PAST), now.plusSeconds(1), busyAboveRatio)
                .forEach(past -> pasts.put(past.uuid(), past));
        seen.forEach((uuid, gpu) -> gpus.computeIfAbsent(uuid, first -> new Gpu())
                .precede(gpu, periods.getOrDefault(uuid, List.of()), Optional.ofNullable(pasts.get(uuid))));
    }

    private static Period period(GpuMoment moment, List<JobOnGpu> jobs) {
        return new Period(
                moment.at().toEpochMilli(),
                Math.toIntExact(moment.period().toMillis()),
                (float) moment.meanRatio().orElse(Double.NaN),
                (float) moment.maxRatio().orElse(Double.NaN),
                jobs.stream()
                        .filter(job -> !moment.at().isBefore(job.firstAt())
                                && !moment.at().isAfter(job.lastAt()))
                        .map(job -> new Sight(job.jobId(), -1))
                        .toList());
    }

    // ---- what is asked

    /** A GPU that Slurm gave to a run, up to an instant until which the run can have been seen; empty: never seen. */
    public Optional<Lately> given(String uuid, Run run, Instant to) {
        return Optional.ofNullable(gpus.get(uuid)).flatMap(gpu -> gpu.lately(run, to, true));
    }

    /** GPUs on which processes of a job were seen lately, by job. */
    public Map<Long, List<String>> usedLately() {
        Map<Long, List<String>> used = new HashMap<>(2 * gpus.size());
        gpus.forEach((uuid, gpu) -> gpu.jobs.forEach(
                job -> used.computeIfAbsent(job, first -> new ArrayList<>(1)).add(uuid)));
        return used;
    }

    /** A GPU that Slurm did not give to a run: only the periods count that show a process of it. Empty: none does. */
    public Optional<Lately> taken(String uuid, Run run, Instant to) {
        return Optional.ofNullable(gpus.get(uuid))
                .flatMap(gpu -> gpu.lately(run, to, false))
                .filter(lately -> lately.coverage() > 0);
    }

    /** One GPU. */
    private final class Gpu {
        private @Nullable String node;
        private @Nullable GpuDevice device;
        private final Periods periods = new Periods();
        /** When nobody looked since it was busy last, oldest first. */
        private final Deque<Gap> gaps = new ArrayDeque<>(0);

        private volatile List<Long> jobs = List.of();

        private long lastAtMs = Long.MIN_VALUE;
        /** What was seen lies between these two; only readings that tell how busy it was. */
        private long seenFromMs = Long.MAX_VALUE;

        private long seenToMs = Long.MIN_VALUE;
        private long lastBusyMs = Long.MIN_VALUE;

        synchronized void take(String on, GpuDevice known, Period period) {
            if (period.max() > busyAboveRatio) {
                lastBusyMs = Math.max(lastBusyMs, period.atMs());
            }
            if (period.atMs() <= lastAtMs) {
                return; // late: it fills no gap, which leaves the answer on the safe side
            }
            node = on;
            device = known.equals(device) ? device : known;
            lastAtMs = period.atMs();
            add(period);
        }

        private void add(Period period) {
            periods.add(period, period.atMs() - KEPT_MS);
            if (period.tells()) {
                see(period.fromMs(), period.atMs(), period.max() > busyAboveRatio);
            }
            noteJobs();
        }

        private void see(long fromMs, long toMs, boolean busy) {
            if (busy) {
                gaps.clear();
            } else if (seenToMs != Long.MIN_VALUE && fromMs > seenToMs + (toMs - fromMs) / 10) {
                gaps.addLast(new Gap(seenToMs, fromMs));
                if (gaps.size() > MOST_GAPS) {
                    seenFromMs = Math.max(seenFromMs, gaps.removeFirst().toMs());
                }
            }
            seenFromMs = Math.min(seenFromMs, fromMs);
            seenToMs = Math.max(seenToMs, toMs);
        }

        /** What was before the first snapshot that came by itself. */
        synchronized void precede(GpuSeen seen, List<Period> before, Optional<GpuPast> past) {
            if (node == null) {
                node = seen.node();
                device = seen.device();
            }
            List<Period> live = periods.list();
            long liveFromMs = live.isEmpty() ? Long.MAX_VALUE : live.get(0).fromMs();
            long liveSeenFromMs = seenFromMs;
            long liveBusyMs = lastBusyMs;
            List<Gap> liveGaps = List.copyOf(gaps);
            long liveSeenToMs = seenToMs;
            periods.clear();
            gaps.clear();
            seenFromMs = Long.MAX_VALUE;
            seenToMs = Long.MIN_VALUE;
            past.ifPresent(known -> {
                long unseenMs = known.lastAt().toEpochMilli()
                        - known.firstAt().toEpochMilli()
                        - known.seen().toMillis();
                long busyMs = known.lastBusyAt().map(Instant::toEpochMilli).orElse(Long.MIN_VALUE);
                lastBusyMs = Math.max(lastBusyMs, busyMs);
                seenFromMs = known.firstAt().toEpochMilli();
                seenToMs = known.lastAt().toEpochMilli();
                if (unseenMs > 0 && busyMs == Long.MIN_VALUE) {
                    // where it lies is not known: at the end it counts for whoever asks
                    gaps.addLast(new Gap(seenToMs - unseenMs, seenToMs));
                }
            });
            for (Period period : before) {
                if (period.fromMs() < liveFromMs && (periods.count == 0 || period.atMs() > periods.lastAtMs())) {
                    periods.add(period, period.atMs() - KEPT_MS);
                    lastAtMs = Math.max(lastAtMs, period.atMs());
                }
            }
            live.forEach(period -> periods.add(period, period.atMs() - KEPT_MS));
            if (liveSeenToMs != Long.MIN_VALUE) { // what came meanwhile follows what was before
                if (liveBusyMs == Long.MIN_VALUE) {
                    see(Math.max(liveSeenFromMs, seenToMs), liveSeenToMs, false);
                } else {
                    gaps.clear();
                    seenFromMs = Math.min(seenFromMs, liveSeenFromMs);
                    seenToMs = Math.max(seenToMs, liveSeenToMs);
                }
                gaps.addAll(liveGaps);
            }
            noteJobs();
        }

        /** Whose processes were seen lately. Most of the time it is what it was. */
        private void noteJobs() {
            long fromMs = lastAtMs - LATELY_MS;
            Set<Long> now = Set.of();
            for (Stay stay : periods.stays) {
                for (Sight sight : stay.lastAtMs > fromMs ? stay.sights : List.<Sight>of()) {
                    now = now.isEmpty() ? new LinkedHashSet<>(2) : now; // a node may name thousands
                    now.add(sight.jobId());
                }
            }
            if (now.size() != jobs.size() || !now.containsAll(jobs)) {
                jobs = List.copyOf(now);
            }
        }

        synchronized Optional<Lately> lately(Run run, Instant until, boolean given) {
            if (node == null || device == null) {
                return Optional.empty();
            }
            long startMs = run.key().start().toEpochMilli();
            long toMs = Math.max(startMs, until.toEpochMilli());
            long fromMs = Math.max(startMs, toMs - LATELY_MS);
            long coveredMs = 0;
            long idleMs = 0;
            long measuredMs = 0;
            double busyMs = 0;
            boolean active = false;
            boolean shared = false;
            for (Period period : periods.list()) {
                long partMs = Math.min(period.atMs(), toMs) - Math.max(period.fromMs(), fromMs);
                if (partMs <= 0 || !(given || period.sights().stream().anyMatch(sight -> sight.isOf(run)))) {
                    continue;
                }
                long jobs = given ? 1 : period.jobs();
                shared |= jobs > 1;
                coveredMs += partMs;
                if (period.tells()) {
                    measuredMs += partMs;
                    busyMs += period.mean() * partMs / jobs;
                    boolean busy = period.max() > busyAboveRatio;
                    active |= busy;
                    idleMs += busy ? 0 : partMs;
                }
            }
            long lengthMs = toMs - fromMs;
            boolean idle = !active && lengthMs >= LATELY_MS && idleMs >= SEEN_ENOUGH * lengthMs;
            Since since = idle ? since(startMs, toMs) : Since.NONE;
            return Optional.of(new Lately(
                    node,
                    device,
                    measuredMs > 0 ? OptionalDouble.of(busyMs / measuredMs) : OptionalDouble.empty(),
                    shared,
                    lengthMs > 0 ? Math.min(1, (double) coveredMs / lengthMs) : 0,
                    since.at(),
                    since.longer()));
        }

        /** Since when it is idle, of the time since {@code fromMs}; what nobody saw is not called idle. */
        private Since since(long fromMs, long toMs) {
            long earliestMs = Math.min(toMs, Math.max(fromMs, lastBusyMs));
            long beginMs = Math.max(earliestMs, Math.min(seenFromMs, toMs));
            long unseenMs = 0;
            for (Gap gap : gaps) {
                unseenMs += gap.within(beginMs, toMs);
            }
            boolean well = toMs - beginMs - unseenMs >= SEEN_WELL * (toMs - earliestMs);
            return new Since(Optional.of(Instant.ofEpochMilli(beginMs + (well ? 0 : unseenMs))), !well);
        }
    }

    private record Since(Optional<Instant> at, boolean longer) {
        static final Since NONE = new Since(Optional.empty(), false);
    }
}
