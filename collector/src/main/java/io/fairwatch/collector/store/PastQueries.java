package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.JobDetail;
import io.fairwatch.agent.wire.JobRef;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.Consumer;

/** Readings as they came, for whoever sums them up anew. Immutable; every method works within the given session. */
final class PastQueries {
    private static final String CGROUP = """
            SELECT r.node, r.at_ms, r.period_ms, r.job_id, r.sluid, r.uid, r.processes, r.cpu_seconds,
              r.memory_used_bytes, r.memory_current_bytes, r.memory_peak_bytes, r.memory_limit_bytes, r.cpus, r.threads,
              r.cpu_system_seconds, r.memory_cache_bytes, r.swap_used_bytes, r.oom_kills, r.memory_limit_hits,
              r.read_bytes, r.written_bytes, r.cpu_stalled_seconds, r.memory_stalled_seconds, r.io_stalled_seconds,
              r.gpu_minors FROM\s""";

    private static final JobDetail NO_DETAIL = detail(
            OptionalInt.empty(),
            OptionalInt.empty(),
            OptionalDouble.empty(),
            OptionalLong.empty(),
            OptionalLong.empty(),
            OptionalLong.empty(),
            OptionalLong.empty(),
            OptionalLong.empty(),
            OptionalLong.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            OptionalDouble.empty(),
            Optional.empty());

    private PastQueries() {}

    private record Moment(String uuid, long atMs) {}

    static void readings(
            Session session,
            Sources sources,
            Collection<String> uuids,
            Instant from,
            Instant to,
            Consumer<PastReading> each)
            throws SQLException {
        if (uuids.isEmpty()) {
            return;
        }
        long fromMs = from.toEpochMilli();
        long toMs = to.toEpochMilli();
        List<String> wanted =
                uuids.stream().map(Rows::clean).distinct().sorted().toList();
        Asked asked = Asked.of(
                session,
                "wanted",
                List.of(new Asked.Column("uuid", "VARCHAR")),
                wanted.stream().map(List::of).toList());
        Map<Moment, List<GpuProcess>> processes = new HashMap<>();
        new Sql()
                .with(List.of(asked))
                .add("part AS (SELECT p.uuid, p.at_ms, p.pid, p.kind, p.uid, p.job_id, p.evidence FROM ")
                .add(sources.of("gpu_process", fromMs, toMs))
                .add(" p JOIN wanted w ON w.uuid = p.uuid WHERE p.at_ms > ? AND p.at_ms <= ?", fromMs, toMs)
                .among("p.uuid", wanted)
                .add(") SELECT * FROM part ORDER BY uuid, at_ms, pid")
                .query(session, cells -> processes
                        .computeIfAbsent(new Moment(cells.text(), cells.number()), moment -> new ArrayList<>(1))
                        .add(process(cells)));
        new Sql()
                .with(List.of(asked))
                .add("part AS (SELECT r.* FROM ")
                .add(sources.of("gpu_reading", fromMs, toMs))
                .add(" r JOIN wanted w ON w.uuid = r.uuid WHERE r.at_ms > ? AND r.at_ms <= ?", fromMs, toMs)
                .among("r.uuid", wanted)
                .add(") SELECT " + SnapshotTables.READING_COLUMNS + SnapshotTables.DEVICE_COLUMNS)
                .add(
                        ", r.period_ms, r.process_count FROM part r JOIN gpu g ON g.uuid = r.uuid ORDER BY r.at_ms, r.uuid")
                .query(session, cells -> {
                    GpuReadingAt read = SnapshotTables.reading(cells, sources);
                    Duration period = cells.length();
                    GpuReading reading = read.reading();
                    Optional<List<GpuProcess>> its = cells.maybeInteger().isEmpty()
                            ? Optional.empty()
                            : Optional.of(processes.getOrDefault(
                                    new Moment(
                                            reading.device().uuid(), read.at().toEpochMilli()),
                                    List.of()));
                    each.accept(new PastReading(
                            read.node(),
                            read.at(),
                            period,
                            new GpuReading(
                                    reading.device(),
                                    reading.utilization(),
                                    reading.memoryUtilization(),
                                    reading.memoryUsedBytes(),
                                    reading.memoryReservedBytes(),
                                    reading.powerWatts(),
                                    reading.powerLimitWatts(),
                                    reading.energyJoules(),
                                    reading.temperatureCelsius(),
                                    reading.smClockHertz(),
                                    its,
                                    reading.detail())));
                    return true;
                });
    }

    private static GpuProcess process(Cells cells) throws SQLException {
        int pid = cells.integer();
        GpuProcess.Kind kind = cells.word(GpuProcess.Kind.class);
        OptionalInt uid = cells.maybeInteger();
        OptionalLong job = cells.maybeNumber();
        Optional<String> evidence = cells.maybeText();
        return new GpuProcess(
                pid,
                kind,
                uid,
                job.isPresent() && evidence.isPresent()
                        ? Optional.of(
                                new JobRef(job.getAsLong(), Optional.empty(), JobRef.Evidence.valueOf(evidence.get())))
                        : Optional.empty(),
                OptionalLong.empty(),
                OptionalDouble.empty());
    }

    static void cgroups(
            Session session,
            Sources sources,
            Collection<Long> jobIds,
            Instant from,
            Instant to,
            Consumer<PastCgroup> each)
            throws SQLException {
        if (jobIds.isEmpty()) {
            return;
        }
        long fromMs = from.toEpochMilli();
        long toMs = to.toEpochMilli();
        List<Long> wanted = jobIds.stream().distinct().sorted().toList();
        Asked asked = Asked.of(
                session,
                "wanted_job",
                List.of(new Asked.Column("job_id", "BIGINT")),
                wanted.stream().map(List::of).toList());
        new Sql()
                .with(List.of(asked))
                .add("part AS (SELECT r.* FROM ")
                .add(sources.of("job_reading", fromMs, toMs))
                .add(" r JOIN wanted_job w ON w.job_id = r.job_id WHERE r.at_ms > ? AND r.at_ms <= ?", fromMs, toMs)
                .among("r.job_id", wanted)
                .add(") " + CGROUP + "part r ORDER BY r.at_ms, r.node, r.job_id")
                .query(session, cells -> {
                    each.accept(cgroup(cells));
                    return true;
                });
    }

    private static PastCgroup cgroup(Cells cells) throws SQLException {
        String node = cells.text();
        Instant at = cells.time();
        Duration period = cells.length();
        long job = cells.number();
        var sluid = cells.maybeText();
        var uid = cells.maybeInteger();
        var processes = cells.maybeInteger();
        var cpuSeconds = cells.maybeReal();
        var used = cells.maybeNumber();
        var current = cells.maybeNumber();
        var peak = cells.maybeNumber();
        var limit = cells.maybeNumber();
        JobDetail detail = detail(
                cells.maybeInteger(),
                cells.maybeInteger(),
                cells.maybeReal(),
                cells.maybeNumber(),
                cells.maybeNumber(),
                cells.maybeNumber(),
                cells.maybeNumber(),
                cells.maybeNumber(),
                cells.maybeNumber(),
                cells.maybeReal(),
                cells.maybeReal(),
                cells.maybeReal(),
                cells.maybeList()
                        .map(minors -> minors.stream().map(Integer::valueOf).toList()));
        return new PastCgroup(
                node,
                at,
                period,
                new JobCgroup(
                        job,
                        sluid,
                        uid,
                        processes,
                        cpuSeconds,
                        used,
                        current,
                        peak,
                        limit,
                        Optional.of(detail).filter(known -> !known.equals(NO_DETAIL))));
    }

    private static JobDetail detail(
            OptionalInt cpus,
            OptionalInt threads,
            OptionalDouble cpuSystemSeconds,
            OptionalLong cache,
            OptionalLong swap,
            OptionalLong oomKills,
            OptionalLong limitHits,
            OptionalLong read,
            OptionalLong written,
            OptionalDouble cpuStalled,
            OptionalDouble memoryStalled,
            OptionalDouble ioStalled,
            Optional<List<Integer>> minors) {
        return new JobDetail(
                cpus,
                threads,
                OptionalDouble.empty(),
                cpuSystemSeconds,
                OptionalLong.empty(),
                OptionalLong.empty(),
                cache,
                OptionalLong.empty(),
                swap,
                oomKills,
                limitHits,
                read,
                written,
                cpuStalled,
                memoryStalled,
                ioStalled,
                minors);
    }
}
