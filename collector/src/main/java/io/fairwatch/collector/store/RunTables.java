package io.fairwatch.collector.store;

import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.store.Store.SlurmView;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** Slurm's answers into tables and back. Immutable; every method works within the given session. */
final class RunTables {
    private static final String VIEW_AT = "view_at_ms";
    private static final String VIEW_CLUSTER = "view_cluster";
    private static final String ACCOUNTING_UNTIL = "accounting_until_ms";
    private static final String ACCOUNTING_FROM = "accounting_from_ms";

    private static final String COLUMNS = """
            r.cluster, r.job_id, r.start_ms, r.array_job_id, r.array_task_id, r.het_job_id, r.het_offset,
            r.user_name, r.uid, r.account, r.partition_name, r.qos, r.name, r.interactive, r.submit_ms, r.end_ms,
            r.time_limit_ms, r.suspended_ms, r.state, r.state_text, r.nodes, r.cpus, r.memory_bytes, r.gpus, r.tres,
            r.as_of_ms, r.eligible_ms, r.resumed_ms, r.comment, r.reservation""";

    private static final int FEW = 64;

    private RunTables() {}

    /**
     * What lives now. Immutable.
     *
     * @param view the newest view without its runs
     * @param runs live runs by start
     * @param again numbers of live jobs under which ended runs are known, too
     */
    record Live(Optional<SlurmView> view, List<Run> runs, Set<Long> again) {
        Live {
            runs = List.copyOf(runs);
            again = Set.copyOf(again);
        }

        /** Live runs by their job's number, of plain jobs that have no other run: all that {@link #runsOf} finds. */
        Map<Long, List<Run>> alone() {
            Map<Long, List<Run>> alone = new HashMap<>(2 * runs.size());
            Set<Long> others = new HashSet<>(again);
            for (Run run : runs) {
                long job = run.key().jobId();
                run.ids().arrayJobId().ifPresent(others::add);
                run.ids().hetJobId().ifPresent(others::add);
                if (!run.ids().equals(Run.JobIds.PLAIN) || alone.put(job, List.of(run)) != null) {
                    others.add(job);
                }
            }
            alone.keySet().removeAll(others);
            return alone;
        }

        /** After runs were written: those that live are read back, as the tables give them. */
        Live after(Session session, Optional<SlurmView> now, Map<RunKey, Run> known, Collection<Run> written)
                throws SQLException {
            Set<RunKey> concerned = new HashSet<>();
            Set<Long> numbers = new HashSet<>();
            for (Run run : written) {
                RunKey key = stored(run.key());
                if (known.remove(key) != null || run.end().isEmpty()) {
                    concerned.add(key);
                }
                numbers.add(key.jobId());
                run.ids().arrayJobId().ifPresent(numbers::add);
                run.ids().hetJobId().ifPresent(numbers::add);
            }
            if (!concerned.isEmpty()) {
                RunTables.runs(session, concerned).stream()
                        .filter(run -> run.end().isEmpty())
                        .forEach(run -> known.put(run.key(), run));
            }
            Set<Long> asked = new HashSet<>(again);
            asked.addAll(numbers);
            Set<Long> jobs = known.keySet().stream()
                    .map(RunKey::jobId)
                    .filter(asked::contains)
                    .collect(Collectors.toSet());
            numbers.retainAll(jobs);
            Set<Long> more = new HashSet<>(again);
            more.removeAll(numbers);
            more.retainAll(jobs);
            more.addAll(RunTables.again(session, numbers));
            List<Run> live = new ArrayList<>(known.values());
            // nearly in order already, and a large cluster has a hundred thousand of them
            live.sort(Comparator.comparing((Run run) -> run.key().start())
                    .thenComparingLong(run -> run.key().jobId()));
            return new Live(now, live, more);
        }

        private Map<RunKey, Run> byKey() {
            Map<RunKey, Run> live = new LinkedHashMap<>(2 * runs.size());
            runs.forEach(run -> live.put(run.key(), run));
            return live;
        }
    }

    /** Those of some numbers under which ended runs are known. */
    private static Set<Long> again(Session session, Collection<Long> numbers) throws SQLException {
        if (numbers.isEmpty()) {
            return Set.of();
        }
        Asked wanted = Asked.of(
                session,
                "wanted_number",
                List.of(new Asked.Column("n", "BIGINT")),
                numbers.stream().map(List::of).toList());
        Sql sql = new Sql().with(List.of(wanted)).add("number AS (");
        String or = "";
        for (String column : List.of("job_id", "array_job_id", "het_job_id")) {
            sql.add(or + "SELECT w.n FROM run r JOIN wanted_number w ON w.n = r." + column
                    + " WHERE r.end_ms IS NOT NULL");
            or = " UNION ALL ";
        }
        return new HashSet<>(sql.add(") SELECT DISTINCT n FROM number").query(session, Cells::number));
    }

    /** Runs are written as they are now, and what lives follows from that. */
    static Live saveRuns(Session session, Collection<Run> saved, Live before) throws SQLException {
        saveRuns(session, saved);
        return before.after(session, before.view(), before.byKey(), saved);
    }

    /**
     * Replaces the view. Only what differs from {@code before} is written anew, which is what the tables hold; that the
     * others still live is one number in their rows: a large cluster has a hundred thousand of them.
     *
     * @return what the tables hold now
     */
    static Live saveView(Session session, SlurmView view, Live before) throws SQLException {
        Instant at = Instant.ofEpochMilli(view.at().toEpochMilli());
        Optional<Instant> viewedBefore = before.view().map(SlurmView::at);
        Map<RunKey, Run> live = before.byKey();
        Set<RunKey> vanished = new HashSet<>();
        before.runs().stream()
                .filter(run -> viewedBefore.equals(Optional.of(run.asOf())))
                .forEach(run -> vanished.add(run.key()));
        List<Run> changed = new ArrayList<>();
        for (Run run : view.runs()) {
            RunKey key = stored(run.key());
            Run known = vanished.remove(key) ? live.get(key) : null;
            if (known != null && run.asOf().equals(at) && known.isSameAs(run)) {
                live.put(key, run);
            } else if (known != null && run.asOf().toEpochMilli() == at.toEpochMilli() && isSame(known, run)) {
                live.put(key, known.asOf(at));
            } else {
                changed.add(run);
            }
        }
        if (!viewedBefore.equals(Optional.of(at))) {
            confirm(
                    session,
                    viewedBefore.map(Instant::toEpochMilli).orElse(Long.MIN_VALUE),
                    at.toEpochMilli(),
                    vanished);
        }
        saveRuns(session, changed);
        boolean samePending = before.view().map(SlurmView::pending).equals(Optional.of(view.pending()));
        if (!samePending) {
            savePending(session, view.pending());
        }
        NodeStateTables.save(session, view.nodes(), view.at(), viewedBefore);
        boolean sameNodes = before.view().map(SlurmView::nodes).equals(Optional.of(view.nodes()));
        if (!sameNodes) {
            saveNodes(session, view.nodes());
        }
        saveValue(session, VIEW_AT, Long.toString(at.toEpochMilli()));
        saveValue(session, VIEW_CLUSTER, view.cluster());
        Optional<SlurmView> now = samePending && sameNodes
                ? before.view()
                        .map(known -> new SlurmView(
                                at, Rows.clean(view.cluster()), List.of(), known.pending(), known.nodes()))
                : view(session);
        return before.after(session, now, live, changed);
    }

    private static void savePending(Session session, List<PendingJob> pending) throws SQLException {
        session.execute("DELETE FROM pending");
        try (Rows rows = session.append("pending")) {
            int place = 0;
            for (PendingJob job : pending) {
                rows.number(place++).text(job.cluster()).number(job.jobId()).text(job.displayId());
                owner(rows, job.owner());
                rows.text(job.name())
                        .time(job.submit())
                        .text(job.reason())
                        .text(job.request())
                        .text(job.comment())
                        .text(job.reservation())
                        .end();
            }
        }
    }

    private static void saveNodes(Session session, List<SlurmNode> nodes) throws SQLException {
        session.execute("DELETE FROM slurm_node");
        try (Rows rows = session.append("slurm_node")) {
            int place = 0;
            for (SlurmNode node : nodes) {
                rows.number(place++)
                        .text(node.name())
                        .text(node.state())
                        .number(node.cpus())
                        .number(node.memoryBytes())
                        .number(node.gpus())
                        .text(node.gres())
                        .number(node.given().cpus())
                        .number(node.given().memoryBytes())
                        .number(node.given().gpus())
                        .end();
            }
        }
    }

    /** Whether a row of {@code before} says of {@code after} all that there is to say, but when that was told. */
    private static boolean isSame(Run before, Run after) {
        return before.equals(new Run(
                before.key(),
                after.ids(),
                after.owner(),
                after.name(),
                after.interactive(),
                after.submit(),
                after.end(),
                after.timeLimit(),
                after.suspended(),
                after.state(),
                after.stateText(),
                after.allocation(),
                kept(before.gpus(), after.gpus()),
                before.asOf(),
                after.also()));
    }

    /** Live runs of the view before this one are as of now; those that it no longer names stay as they are. */
    private static void confirm(Session session, long beforeMs, long nowMs, Collection<RunKey> vanished)
            throws SQLException {
        session.execute("""
                CREATE OR REPLACE TEMPORARY TABLE vanished (
                  cluster VARCHAR NOT NULL, job_id BIGINT NOT NULL, start_ms BIGINT NOT NULL)""");
        try (Rows rows = session.appendTemporary("vanished")) {
            for (RunKey key : vanished) {
                key(rows, key);
                rows.end();
            }
        }
        session.update("""
                UPDATE run SET as_of_ms = ? WHERE end_ms IS NULL AND as_of_ms = ? AND NOT EXISTS (
                  SELECT 1 FROM vanished v
                  WHERE v.cluster = run.cluster AND v.job_id = run.job_id AND v.start_ms = run.start_ms)""", nowMs, beforeMs);
    }

    static void saveRuns(Session session, Collection<Run> saved) throws SQLException {
        if (saved.isEmpty()) {
            return;
        }
        Map<RunKey, Run> runs = new LinkedHashMap<>();
        for (Run run : saved) {
            RunKey key = stored(run.key());
            runs.merge(key, run, (before, after) -> after.withGpus(kept(before.gpus(), after.gpus())));
        }
        try (Rows rows = Schema.stage(session, "run")) {
            for (Run run : runs.values()) {
                run(rows, run);
            }
        }
        Map<RunKey, List<AllocatedGpu>> known = gpus(
                session,
                "JOIN staged_run r ON r.cluster = g.cluster AND r.job_id = g.job_id AND r.start_ms = g.start_ms");
        Schema.replace(session, "run", "cluster", "job_id", "start_ms");
        try (Rows rows = Schema.stage(session, "run_gpu")) {
            for (Map.Entry<RunKey, Run> entry : runs.entrySet()) {
                int place = 0;
                List<AllocatedGpu> before = known.getOrDefault(entry.getKey(), List.of());
                for (AllocatedGpu gpu : kept(before, entry.getValue().gpus())) {
                    key(rows, entry.getKey());
                    rows.number(place++)
                            .text(gpu.node())
                            .number(gpu.gresIndex())
                            .text(gpu.type())
                            .text(gpu.uuid())
                            .word(gpu.confidence())
                            .end();
                }
            }
        }
        Schema.replace(session, "run_gpu", "cluster", "job_id", "start_ms");
    }

    /** What is known of a run's GPUs after {@code now} was said, when {@code before} was known. */
    private static List<AllocatedGpu> kept(List<AllocatedGpu> before, List<AllocatedGpu> now) {
        if (now.isEmpty() || now.equals(before)) {
            return before;
        }
        record Place(String node, int gresIndex) {}
        Map<Place, AllocatedGpu> known = new HashMap<>();
        before.forEach(gpu -> known.put(new Place(gpu.node(), gpu.gresIndex()), gpu));
        List<AllocatedGpu> kept = new ArrayList<>(now.size());
        for (AllocatedGpu gpu : now) {
            AllocatedGpu old = known.get(new Place(gpu.node(), gpu.gresIndex()));
            kept.add(
                    old == null || gpu.uuid().isPresent()
                            ? gpu
                            : new AllocatedGpu(
                                    gpu.node(),
                                    gpu.gresIndex(),
                                    gpu.type().or(old::type),
                                    old.uuid(),
                                    old.confidence()));
        }
        return kept;
    }

    static Optional<SlurmView> view(Session session) throws SQLException {
        Optional<Instant> at = instant(session, VIEW_AT);
        Optional<String> cluster = value(session, VIEW_CLUSTER);
        if (at.isEmpty() || cluster.isEmpty()) {
            return Optional.empty();
        }
        List<PendingJob> pending = session.query(
                """
                SELECT cluster, job_id, display_id, user_name, uid, account, partition_name, qos, name, submit_ms, reason,
                request, comment, reservation FROM pending ORDER BY place""",
                cells -> new PendingJob(
                        cells.text(),
                        cells.number(),
                        cells.text(),
                        owner(cells),
                        cells.text(),
                        cells.time(),
                        cells.text(),
                        cells.text(),
                        cells.maybeText(),
                        cells.maybeText()));
        List<SlurmNode> nodes = session.query(
                "SELECT name, state, cpus, memory_bytes, gpus, gres, given_cpus, given_memory_bytes, given_gpus FROM slurm_node ORDER BY place",
                cells -> new SlurmNode(
                        cells.text(),
                        cells.text(),
                        cells.maybeInteger(),
                        cells.maybeNumber(),
                        cells.maybeInteger(),
                        cells.text(),
                        new SlurmNode.Given(cells.maybeInteger(), cells.maybeNumber(), cells.maybeInteger())));
        return Optional.of(new SlurmView(at.get(), cluster.get(), List.of(), pending, nodes));
    }

    static Live live(Session session) throws SQLException {
        List<Run> runs = liveRuns(session);
        return new Live(
                view(session),
                runs,
                again(session, runs.stream().map(run -> run.key().jobId()).collect(Collectors.toSet())));
    }

    static List<Run> liveRuns(Session session) throws SQLException {
        return runs(session, "r.end_ms IS NULL", "r.start_ms, r.job_id");
    }

    /** One part for each kind of number, because each alone finds its few rows without a look at the others. */
    static List<Run> runsOf(Session session, long jobId) throws SQLException {
        String select = "SELECT " + COLUMNS + " FROM run r WHERE ";
        List<Run> runs = session.query(
                "SELECT * FROM (" + select + "r.job_id = ? UNION ALL " + select
                        + "r.array_job_id = ? AND r.job_id <> ? UNION ALL " + select
                        + "r.het_job_id = ? AND r.job_id <> ? AND (r.array_job_id IS NULL OR r.array_job_id <> ?)"
                        + ") r ORDER BY start_ms DESC, job_id DESC",
                RunTables::run,
                jobId,
                jobId,
                jobId,
                jobId,
                jobId,
                jobId);
        if (runs.isEmpty()) {
            return runs;
        }
        List<Long> jobs = runs.stream().map(run -> run.key().jobId()).distinct().toList();
        Map<RunKey, List<AllocatedGpu>> gpus = jobs.size() <= FEW
                ? gpus(session, "WHERE g.job_id IN (?" + ", ?".repeat(jobs.size() - 1) + ")", jobs.toArray())
                : gpus(session, "WHERE g.job_id >= ? AND g.job_id <= ?", Collections.min(jobs), Collections.max(jobs));
        runs.replaceAll(run -> run.withGpus(gpus.getOrDefault(run.key(), List.of())));
        return runs;
    }

    /** Ended runs that held their allocation at some time of {@code [from, to)}, by start. */
    static List<Run> endedWithin(Session session, Instant from, Instant to) throws SQLException {
        return runs(
                session,
                "r.start_ms < ? AND r.end_ms > ?",
                "r.start_ms, r.job_id",
                to.toEpochMilli(),
                from.toEpochMilli());
    }

    static List<Run> runsWithin(Session session, Instant from, Instant to, String account, String user, int most)
            throws SQLException {
        return session.query(
                "SELECT " + COLUMNS + " FROM run r WHERE r.start_ms < ? AND (r.end_ms IS NULL OR r.end_ms > ?)"
                        + " AND r.account = ? AND r.user_name = ? ORDER BY r.start_ms, r.job_id LIMIT " + most,
                RunTables::run,
                to.toEpochMilli(),
                from.toEpochMilli(),
                account,
                user);
    }

    /** In whole seconds for each run, as Slurm's accounting counts. */
    private static final String HELD = """
            SELECT account, user_name, CAST(sum(held * gpus) AS BIGINT), CAST(sum(greatest(held - suspended, 0) * cpus) AS BIGINT),
              CAST(sum(held * memory_mib) AS BIGINT)
            FROM (
              SELECT account, user_name, CAST((held_ms - held_ms % 1000) / 1000 AS BIGINT) AS held,
                CAST((suspended_ms - suspended_ms % 1000) / 1000 AS BIGINT) AS suspended, gpus, cpus, memory_mib
              FROM (
                SELECT account, user_name, least(COALESCE(end_ms, as_of_ms), ?) - greatest(start_ms, ?) AS held_ms,
                  CASE WHEN start_ms >= ? AND end_ms <= ? THEN suspended_ms ELSE 0 END AS suspended_ms,
                  COALESCE(gpus, 0) AS gpus, COALESCE(cpus, 0) AS cpus,
                  CAST((COALESCE(memory_bytes, 0) - COALESCE(memory_bytes, 0) % 1048576) / 1048576 AS BIGINT) AS memory_mib
                FROM run WHERE start_ms < ? AND COALESCE(end_ms, as_of_ms) > ?) h
              WHERE held_ms > 0) s
            GROUP BY account, user_name ORDER BY account, user_name""";

    static List<HeldSums> heldWithin(Session session, Instant from, Instant to) throws SQLException {
        long fromMs = from.toEpochMilli();
        long toMs = to.toEpochMilli();
        return session.query(
                HELD,
                cells -> new HeldSums(cells.text(), cells.text(), cells.number(), cells.number(), cells.number()),
                toMs,
                fromMs,
                fromMs,
                toMs,
                toMs,
                fromMs);
    }

    static List<Run> ended(Session session, RunQuery query) throws SQLException {
        StringBuilder where = new StringBuilder("r.end_ms IS NOT NULL");
        List<Object> parameters = new ArrayList<>();
        and(where, parameters, "r.user_name = ?", query.user());
        and(where, parameters, "r.account = ?", query.account());
        and(where, parameters, "r.partition_name = ?", query.partition());
        // nodes are a JSON array of texts
        and(where, parameters, "position(? IN r.nodes) > 0", query.node().map(Json::write));
        and(where, parameters, "r.end_ms > ?", query.since().map(Instant::toEpochMilli));
        and(where, parameters, "r.start_ms < ?", query.until().map(Instant::toEpochMilli));
        if (!query.states().isEmpty()) {
            where.append(" AND r.state IN (?")
                    .append(", ?".repeat(query.states().size() - 1))
                    .append(')');
            query.states().forEach(state -> parameters.add(state.name()));
        }
        query.after().ifPresent(after -> {
            where.append(
                    " AND (r.start_ms < ? OR r.start_ms = ? AND (r.job_id < ? OR r.job_id = ? AND r.cluster > ?))");
            long start = after.start().toEpochMilli();
            parameters.addAll(List.of(start, start, after.jobId(), after.jobId(), after.cluster()));
        });
        return session.query(
                "SELECT " + COLUMNS + " FROM run r WHERE " + where
                        + " ORDER BY r.start_ms DESC, r.job_id DESC, r.cluster LIMIT " + query.limit(),
                RunTables::run,
                parameters.toArray());
    }

    private static void and(
            StringBuilder where, List<Object> parameters, String condition, Optional<? extends Object> value) {
        value.ifPresent(present -> {
            where.append(" AND ").append(condition);
            parameters.add(present);
        });
    }

    /** The runs with these keys, by start. */
    static List<Run> runs(Session session, Collection<RunKey> keys) throws SQLException {
        session.execute("""
                CREATE OR REPLACE TEMPORARY TABLE staged_key (
                  cluster VARCHAR NOT NULL, job_id BIGINT NOT NULL, start_ms BIGINT NOT NULL)""");
        try (Rows rows = session.appendTemporary("staged_key")) {
            for (RunKey key : keys) {
                key(rows, key);
                rows.end();
            }
        }
        return runs(
                session,
                "(r.cluster, r.job_id, r.start_ms) IN (SELECT cluster, job_id, start_ms FROM staged_key)",
                "r.start_ms, r.job_id");
    }

    static List<Run> runs(Session session, String where, String order, Object... parameters) throws SQLException {
        List<Run> runs = session.query(
                "SELECT " + COLUMNS + " FROM run r WHERE " + where + " ORDER BY " + order, RunTables::run, parameters);
        Map<RunKey, List<AllocatedGpu>> gpus = gpus(
                session,
                "JOIN run r ON r.cluster = g.cluster AND r.job_id = g.job_id AND r.start_ms = g.start_ms WHERE "
                        + where,
                parameters);
        runs.replaceAll(run -> run.withGpus(gpus.getOrDefault(run.key(), List.of())));
        return runs;
    }

    static Map<RunKey, List<AllocatedGpu>> gpus(Session session, String joined, Object... parameters)
            throws SQLException {
        Map<RunKey, List<AllocatedGpu>> gpus = new HashMap<>();
        session.query(
                """
                SELECT g.cluster, g.job_id, g.start_ms, g.node, g.gres_index, g.type, g.uuid, g.confidence
                FROM run_gpu g
                """ + joined + " ORDER BY g.place",
                cells -> gpus.computeIfAbsent(key(cells), key -> new ArrayList<>())
                        .add(new AllocatedGpu(
                                cells.text(),
                                cells.integer(),
                                cells.maybeText(),
                                cells.maybeText(),
                                cells.word(AllocatedGpu.Confidence.class))),
                parameters);
        return gpus;
    }

    private static void run(Rows rows, Run run) throws SQLException {
        key(rows, run.key());
        rows.number(run.ids().arrayJobId())
                .number(run.ids().arrayTaskId())
                .number(run.ids().hetJobId())
                .number(run.ids().hetOffset());
        owner(rows, run.owner());
        rows.text(run.name())
                .flag(run.interactive())
                .time(run.submit())
                .time(run.end())
                .length(run.timeLimit())
                .length(run.suspended())
                .word(run.state())
                .text(run.stateText())
                .text(Json.write(run.allocation().nodes()))
                .number(run.allocation().cpus())
                .number(run.allocation().memoryBytes())
                .number(run.allocation().gpus())
                .text(run.allocation().tres())
                .time(run.asOf())
                .time(run.eligible())
                .time(run.resumed())
                .text(run.comment())
                .text(run.reservation())
                .end();
    }

    private static Run run(Cells cells) throws SQLException {
        RunKey key = key(cells);
        Run.JobIds ids =
                new Run.JobIds(cells.maybeNumber(), cells.maybeNumber(), cells.maybeNumber(), cells.maybeInteger());
        Run.Owner owner = owner(cells);
        String name = cells.text();
        boolean interactive = cells.flag();
        Instant submit = cells.time();
        Optional<Instant> end = cells.maybeTime();
        var timeLimit = cells.maybeLength();
        var suspended = cells.length();
        JobState state = cells.word(JobState.class);
        String stateText = cells.text();
        Run.Allocation allocation = new Run.Allocation(
                Arrays.asList(Json.read(cells.text(), String[].class)),
                cells.maybeInteger(),
                cells.maybeNumber(),
                cells.maybeInteger(),
                cells.text());
        return new Run(
                key,
                ids,
                owner,
                name,
                interactive,
                submit,
                end,
                timeLimit,
                suspended,
                state,
                stateText,
                allocation,
                List.of(),
                cells.time(),
                new Run.Also(cells.maybeTime(), cells.maybeTime(), cells.maybeText(), cells.maybeText()));
    }

    /** The key as it comes back from a table. */
    static RunKey stored(RunKey key) {
        return new RunKey(
                Rows.clean(key.cluster()),
                key.jobId(),
                Instant.ofEpochMilli(key.start().toEpochMilli()));
    }

    static void key(Rows rows, RunKey key) throws SQLException {
        rows.text(key.cluster()).number(key.jobId()).time(key.start());
    }

    static RunKey key(Cells cells) throws SQLException {
        return new RunKey(cells.text(), cells.number(), cells.time());
    }

    private static void owner(Rows rows, Run.Owner owner) throws SQLException {
        rows.text(owner.user())
                .number(owner.uid())
                .text(owner.account())
                .text(owner.partition())
                .text(owner.qos());
    }

    private static Run.Owner owner(Cells cells) throws SQLException {
        return new Run.Owner(cells.text(), cells.maybeInteger(), cells.text(), cells.text(), cells.text());
    }

    static Optional<Instant> accountingUntil(Session session) throws SQLException {
        return instant(session, ACCOUNTING_UNTIL);
    }

    static void saveAccountingUntil(Session session, Instant until) throws SQLException {
        saveValue(session, ACCOUNTING_UNTIL, Long.toString(until.toEpochMilli()));
    }

    static Optional<Instant> accountingFrom(Session session) throws SQLException {
        return instant(session, ACCOUNTING_FROM);
    }

    static void saveAccountingFrom(Session session, Instant from) throws SQLException {
        saveValue(session, ACCOUNTING_FROM, Long.toString(from.toEpochMilli()));
    }

    static Optional<Instant> mark(Session session, String name) throws SQLException {
        return instant(session, "mark " + name);
    }

    static void saveMark(Session session, String name, Instant at) throws SQLException {
        saveValue(session, "mark " + name, Long.toString(at.toEpochMilli()));
    }

    /** When the newest view was asked; absent before the first. */
    static Optional<Instant> viewAt(Session session) throws SQLException {
        return instant(session, VIEW_AT);
    }

    static Optional<Instant> instant(Session session, String name) throws SQLException {
        return value(session, name).map(ms -> Instant.ofEpochMilli(Long.parseLong(ms)));
    }

    static Optional<String> value(Session session, String name) throws SQLException {
        return session.query("SELECT value FROM meta WHERE name = ?", Cells::text, name).stream()
                .findFirst();
    }

    static void saveValue(Session session, String name, String value) throws SQLException {
        session.update("DELETE FROM meta WHERE name = ?", name);
        session.update("INSERT INTO meta (name, value) VALUES (?, ?)", name, value);
    }
}
