package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.Store.RunSpan;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * What nodes saw of pieces without a summary: those cut at a border, those that run, those that ended of late. A part at a
 * time, so that memory stays bounded however many there are. Stateless.
 */
final class PeriodUse {
    /** So many runs at a time are joined with their readings. */
    private static final int CHUNK = 5_000;

    private static final String NOT_SUMMARIZED = """
            CREATE OR REPLACE TEMPORARY TABLE period_open AS
            SELECT row_number() OVER () AS no, cluster, job_id, start_ms FROM piece
            WHERE seen_ms IS NULL AND finish_ms > begin_ms AND finish_ms > (SELECT min(first_at_ms) FROM node)""";

    private static final String SOME =
            "SELECT cluster, job_id, start_ms FROM period_open WHERE no > ? AND no <= ? ORDER BY no";

    private static final String UPDATE = """
            UPDATE piece SET seen_ms = u.seen_ms, used_ms = u.used_ms, idle_ms = u.idle_ms, outside_ms = u.outside_ms,
              energy_joules = u.energy_joules, energy_ms = u.energy_ms, idle_energy_joules = u.idle_energy_joules,
              gpu_memory_used_bytes = u.gpu_memory_used_bytes, gpu_memory_bytes = u.gpu_memory_bytes,
              cpu_used_ms = u.cpu_used_ms, memory_max_bytes = u.memory_max_bytes
            FROM period_use u
            WHERE u.cluster = piece.cluster AND u.job_id = piece.job_id AND u.start_ms = piece.start_ms""";

    private PeriodUse() {}

    static void complete(Session session, Sources sources, PeriodQuestion question) throws SQLException {
        session.execute("""
                CREATE OR REPLACE TEMPORARY TABLE period_use (
                  cluster VARCHAR NOT NULL, job_id BIGINT NOT NULL, start_ms BIGINT NOT NULL, seen_ms BIGINT NOT NULL,
                  used_ms BIGINT NOT NULL, idle_ms BIGINT NOT NULL,
                  outside_ms BIGINT NOT NULL, energy_joules BIGINT, energy_ms BIGINT NOT NULL, idle_energy_joules BIGINT,
                  gpu_memory_used_bytes BIGINT, gpu_memory_bytes BIGINT, cpu_used_ms BIGINT, memory_max_bytes BIGINT)""");
        session.execute(NOT_SUMMARIZED);
        boolean any = false;
        for (long done = 0; ; done += CHUNK) {
            List<RunKey> some = session.query(SOME, RunTables::key, done, done + CHUNK);
            if (some.isEmpty()) {
                break;
            }
            useOf(session, sources, spans(session, some, question.from(), question.to()), question.busyAboveRatio());
            any = true;
        }
        if (any) {
            session.execute(UPDATE);
        }
    }

    private static List<RunSpan> spans(Session session, Collection<RunKey> keys, Instant from, Instant to)
            throws SQLException {
        List<RunSpan> spans = new ArrayList<>();
        for (Run run : RunTables.runs(session, keys)) {
            Instant begin = later(run.key().start(), from);
            Instant end = run.end().orElse(run.asOf());
            Instant finish = later(begin, end.isBefore(to) ? end : to);
            spans.add(new RunSpan(run, begin, finish));
        }
        return spans;
    }

    private static Instant later(Instant a, Instant b) {
        return a.isAfter(b) ? a : b;
    }

    private static final class Tally {
        boolean allKnown;
        long seen;
        long used;
        long idle;
        long outside;
        boolean energyTold;
        long energy;
        long energyMs;
        long idleEnergy;
        boolean memoryTold;
        long memoryUsed;
        long memory;
    }

    private static void useOf(Session session, Sources sources, List<RunSpan> spans, double busyAboveRatio)
            throws SQLException {
        Map<RunKey, Tally> tallies = new HashMap<>();
        for (RunSpan span : spans) {
            Tally tally = new Tally();
            Run run = span.run();
            tally.allKnown =
                    run.gpus().stream().filter(gpu -> gpu.uuid().isPresent()).count()
                            >= run.allocation().gpus().orElse(0);
            tallies.put(run.key(), tally);
        }
        for (GpuUse use : UseQueries.gpuUse(session, sources, spans, busyAboveRatio, true)) {
            add(Objects.requireNonNull(tallies.get(use.run())), use);
        }
        Map<RunKey, JobUse> jobs = new HashMap<>();
        UseQueries.jobUse(session, sources, spans).forEach(use -> jobs.put(use.run(), use));
        try (Rows rows = session.appendTemporary("period_use")) {
            for (RunSpan span : spans) {
                RunKey key = span.run().key();
                Tally tally = tallies.get(key);
                Optional<JobUse> job = Optional.ofNullable(jobs.get(key));
                if (tally == null || (tally.seen == 0 && tally.outside == 0 && job.isEmpty())) {
                    continue;
                }
                RunTables.key(rows, key);
                rows.number(tally.seen).number(tally.used).number(tally.idle).number(tally.outside);
                optional(rows, tally.energyTold, tally.energy).number(tally.energyMs);
                optional(rows, tally.energyTold, tally.idleEnergy);
                optional(rows, tally.memoryTold, tally.memoryUsed);
                optional(rows, tally.memoryTold, tally.memory);
                optional(
                        rows,
                        job.isPresent() && job.get().cpuSeconds().isPresent(),
                        job.isPresent() ? Math.round(job.get().cpuSeconds().orElse(0) * 1000) : 0);
                optional(
                        rows,
                        job.isPresent() && job.get().memoryUsedMaxBytes().isPresent(),
                        job.isPresent() ? job.get().memoryUsedMaxBytes().orElse(0) : 0);
                rows.end();
            }
        }
    }

    private static Rows optional(Rows rows, boolean told, long value) throws SQLException {
        return told ? rows.number(value) : rows.none();
    }

    private static void add(Tally tally, GpuUse use) {
        if (use.allocated().isEmpty()) {
            if (tally.allKnown) {
                tally.outside += Math.round(use.gpuSeconds() * 1000);
            }
            return;
        }
        // a reading without utilisation says nothing of use
        double measured = Math.min(use.coveredSeconds(), use.busySeconds() + use.idleSeconds());
        tally.seen += Math.round(measured * 1000);
        tally.used += Math.round(measured * 1000 * use.utilizationMeanRatio().orElse(0));
        tally.idle += Math.round(use.idleSeconds() * 1000);
        if (use.energyJoules().isPresent()) {
            tally.energyTold = true;
            tally.energy += Math.round(use.energyJoules().getAsDouble());
            tally.energyMs += Math.round(use.coveredSeconds() * 1000);
            tally.idleEnergy += Math.round(use.work().idleEnergyJoules().orElse(0));
        }
        Optional<GpuDevice> device = use.device();
        if (use.memoryUsedMaxBytes().isPresent()
                && device.isPresent()
                && device.get().memoryTotalBytes().isPresent()) {
            tally.memoryTold = true;
            tally.memoryUsed += use.memoryUsedMaxBytes().getAsLong();
            tally.memory += device.get().memoryTotalBytes().getAsLong();
        }
    }
}
