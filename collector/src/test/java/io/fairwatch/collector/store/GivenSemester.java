package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.ScratchUse.DirectoryUse;
import io.fairwatch.agent.wire.ScratchUse.Owner;
import io.fairwatch.collector.run.Account;
import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.run.Association;
import io.fairwatch.collector.run.Limits;
import io.fairwatch.collector.run.Qos;
import io.fairwatch.collector.run.SlurmUser;
import io.fairwatch.collector.store.Store.StoreException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.PriorityQueue;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.duckdb.DuckDBConnection;
import org.duckdb.DuckDBDriver;

/**
 * A semester of a university's GPUs, played from a seed: people submit jobs by day more than by night and towards the end
 * more than at the beginning, each job takes the GPUs that are free first, works a while and then idles, some owners are
 * told and cancel. Runs, summaries, roll-ups and findings follow from the same play, so that they agree with each other. For
 * benchmarks and for looking at reports; nothing in it is real.
 */
public final class GivenSemester {
    private static final int GPUS_OF_NODE = 8;
    private static final int PEOPLE = 300;
    private static final String[] MODELS = {"v100", "l40s", "a10", "t4"};
    private static final String[] GROUPS = {"nv-ai", "a768-l40s", "i256-a10", "a256-t4"};

    /** How much each model is wanted, of what there is of it. */
    private static final double[] WANTED = {1.2, 1.1, 0.85, 0.6};

    /** A node that breaks in the middle of the semester. */
    private static final int BROKEN = 5;

    /** In seconds: a part of a GPU's time. */
    private record Hold(long run, int from, int idleFrom, int to, double busy) {}

    private record Person(String name, String account, int habit, double wants) {}

    private final long fromMs;
    private final int seconds;
    private final SplittableRandom random;
    private final int gpus;
    private final List<List<Hold>> held = new ArrayList<>();
    private final List<Person> people = new ArrayList<>();

    private GivenSemester(long seed, int gpus, Instant from, Instant to) {
        this.fromMs = from.toEpochMilli();
        this.seconds = Math.toIntExact(Duration.between(from, to).toSeconds());
        this.random = new SplittableRandom(seed);
        this.gpus = gpus;
        for (int gpu = 0; gpu < gpus; gpu++) {
            held.add(new ArrayList<>());
        }
        SplittableRandom habits = new SplittableRandom(4711); // the same people in each semester
        String[] accounts = {"cs", "cs", "cs", "es.shj", "es", "math", "bio", "build", "cs.students"};
        for (int i = 0; i < PEOPLE; i++) {
            String account = accounts[i % accounts.length];
            people.add(new Person(
                    "user%03d@%s.aau.dk"
                            .formatted(i, account.equals("cs.students") ? "student" : account.replaceAll("\\..*", "")),
                    account,
                    habits.nextInt(100),
                    Math.pow(habits.nextDouble(), 3) + 0.01));
        }
    }

    /**
     * Makes a semester in the store of a directory that no collector has open; a store may hold several.
     *
     * @param runs how many
     * @param gpus how many, eight a node
     * @param rollups whether what GPUs did is there every five minutes
     */
    public static void make(Path directory, long seed, int runs, int gpus, Instant from, Instant to, boolean rollups)
            throws StoreException, SQLException, IOException {
        DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS).close();
        try (DuckDBConnection connection = new DuckDBDriver()
                        .connect("jdbc:duckdb:" + directory.resolve("fairwatch.duckdb"), new java.util.Properties())
                        .unwrap(DuckDBConnection.class);
                Session session = new Session(connection, Duration.ZERO)) {
            GivenSemester semester = new GivenSemester(seed, gpus, from, to);
            session.execute("SET memory_limit = '2GB'");
            semester.nodes(session);
            session.begin();
            semester.play(session, seed, runs);
            session.commit();
            if (rollups) {
                semester.rollups(session, directory.resolve("sealed"));
            }
            for (Map.Entry<String, String> value : Map.of(
                            "view_at_ms", Long.toString(to.toEpochMilli()),
                            "view_cluster", "lab",
                            "accounting_until_ms", Long.toString(to.toEpochMilli()))
                    .entrySet()) {
                RunTables.saveValue(session, value.getKey(), value.getValue());
            }
            session.execute("CHECKPOINT");
        }
        try (Store store = DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS)) {
            store.append(scratch(from, to));
            store.saveAccounts(accounts(to, people(seed, gpus, from, to)));
        }
    }

    private static List<Person> people(long seed, int gpus, Instant from, Instant to) {
        return new GivenSemester(seed, gpus, from, to).people;
    }

    private static String node(int number) {
        return "%s-%02d".formatted(GROUPS[number % 4], number / 4 + 1);
    }

    private static String uuid(int gpu) {
        return "GPU-%06d".formatted(gpu);
    }

    private int model(int gpu) {
        return gpu / GPUS_OF_NODE % 4;
    }

    // ---- what there is

    private void nodes(Session session) throws SQLException {
        long toMs = fromMs + seconds * 1000L;
        session.execute(
                "CREATE OR REPLACE TEMPORARY TABLE place (gpu INTEGER, node VARCHAR, model VARCHAR, uuid VARCHAR)");
        try (Rows rows = session.appendTemporary("place")) {
            for (int gpu = 0; gpu < gpus; gpu++) {
                rows.number(gpu)
                        .text(node(gpu / GPUS_OF_NODE))
                        .text(MODELS[model(gpu)])
                        .text(uuid(gpu))
                        .end();
            }
        }
        session.execute("DELETE FROM gpu");
        session.execute("""
                INSERT INTO gpu (uuid, node, last_at_ms, nvml_index, minor_number, pci_bus_id, name, memory_total_bytes)
                SELECT uuid, node, %d, gpu %% 8, gpu %% 8, NULL, 'Simulated', 34359738368 FROM place""".formatted(toMs));
        try (Rows rows = session.append("node_state")) {
            for (int node = 0; node * GPUS_OF_NODE < gpus; node++) {
                long broken = node == BROKEN ? fromMs + seconds * 500L : toMs;
                state(rows, node, fromMs, broken, "IN_SERVICE");
                if (broken < toMs) {
                    state(rows, node, broken, toMs, "DOWN");
                }
            }
        }
    }

    private static void state(Rows rows, int node, long from, long to, String service) throws SQLException {
        rows.text(node(node))
                .number(from)
                .number(to)
                .text(service)
                .number(64)
                .number(549755813888L)
                .number(8);
        rows.text("gpu:" + MODELS[node % 4] + ":8").end();
    }

    // ---- what happened

    private record Free(int at, int gpu) {}

    private void play(Session session, long seed, int runs) throws SQLException {
        session.execute("""
                CREATE OR REPLACE TEMPORARY TABLE played (job_id BIGINT, start_ms BIGINT, end_ms BIGINT, submit_ms BIGINT,
                  idle_ms BIGINT, user_name VARCHAR, account VARCHAR, partition_name VARCHAR, qos VARCHAR, gpus INTEGER,
                  model VARCHAR, state VARCHAR, interactive BOOLEAN, limit_ms BIGINT, busy DOUBLE, fullness DOUBLE,
                  nodes VARCHAR, cpus INTEGER)""");
        session.execute(
                "CREATE OR REPLACE TEMPORARY TABLE held (job_id BIGINT, start_ms BIGINT, place INTEGER, gpu INTEGER)");
        session.execute("""
                CREATE OR REPLACE TEMPORARY TABLE found (job_id BIGINT, start_ms BIGINT, user_name VARCHAR, since_ms BIGINT,
                  told_ms BIGINT, cleared_ms BIGINT)""");
        List<PriorityQueue<Free>> free = new ArrayList<>();
        for (int model = 0; model < MODELS.length; model++) {
            free.add(new PriorityQueue<>(Comparator.comparingInt(Free::at).thenComparingInt(Free::gpu)));
        }
        for (int gpu = 0; gpu < gpus; gpu++) {
            free.get(model(gpu)).add(new Free(0, gpu));
        }
        double[] weights = weights();
        double sum = Arrays.stream(weights).sum();
        double wants = people.stream().mapToDouble(Person::wants).sum();
        double mean = seconds
                * (double) gpus
                * 0.8
                / (runs * 0.95 * 1.75); // as long as GPUs are held four fifths of the time
        long job = seed * 10_000_000L;
        double due = 0;
        try (Rows played = session.appendTemporary("played");
                Rows places = session.appendTemporary("held");
                Rows findings = session.appendTemporary("found")) {
            for (int hour = 0; hour < weights.length; hour++) {
                due += weights[hour] / sum * runs;
                int[] submits = random.ints((int) due, hour * 3600, Math.min(seconds, hour * 3600 + 3600))
                        .sorted()
                        .toArray();
                due -= submits.length;
                for (int submit : submits) {
                    one(++job, submit, mean, person(wants), free, played, places, findings);
                }
            }
        }
        insert(session);
    }

    /** How many submit in each hour: people work by day, and most when the semester ends. */
    private double[] weights() {
        double[] weights = new double[seconds / 3600];
        for (int hour = 0; hour < weights.length; hour++) {
            var at = Instant.ofEpochMilli(fromMs + hour * 3_600_000L).atZone(ZoneOffset.ofHours(1));
            double ofDay = at.getHour() >= 8 && at.getHour() < 18 ? 1.6 : at.getHour() < 7 ? 0.35 : 0.8;
            double ofWeek = at.getDayOfWeek().getValue() > 5 ? 0.55 : 1;
            weights[hour] = ofDay * ofWeek * (0.75 + 0.5 * hour / weights.length);
        }
        return weights;
    }

    private Person person(double wants) {
        double at = random.nextDouble() * wants;
        for (Person person : people) {
            at -= person.wants();
            if (at <= 0) {
                return person;
            }
        }
        return people.get(0);
    }

    private void one(
            long job,
            int submit,
            double mean,
            Person person,
            List<PriorityQueue<Free>> free,
            Rows played,
            Rows places,
            Rows findings)
            throws SQLException {
        int pick = random.nextInt(100);
        int count = pick < 5 ? 0 : pick < 68 ? 1 : pick < 88 ? 2 : pick < 96 ? 4 : 8;
        int model = count == 0 ? 3 : wantedModel();
        int length = (int) Math.max(30, -Math.log(1 - random.nextDouble() * 0.999) * mean);
        double idle = (person.habit() < 12 ? 0.7 : person.habit() < 30 ? 0.3 : 0.04) * random.nextDouble(0.4, 1.3);
        double busy = (person.habit() < 25 ? 0.35 : 0.85) * random.nextDouble(0.5, 1.15);
        double full = random.nextDouble(0.04, person.habit() % 3 == 0 ? 0.4 : 0.97);
        List<Integer> taken = new ArrayList<>();
        int start = submit + random.nextInt(1, 20);
        PriorityQueue<Free> pool = free.get(model);
        for (int i = 0; i < count && !pool.isEmpty(); i++) {
            Free next = pool.remove();
            taken.add(next.gpu());
            start = Math.max(start, next.at() + 2);
        }
        int idleFrom = start + (int) (length * (1 - Math.min(0.98, idle)));
        int end = start + length;
        String state = random.nextInt(23) == 0 ? "TIMEOUT" : random.nextInt(15) == 0 ? "FAILED" : "COMPLETED";
        boolean seen = start < seconds && count > 0;
        if (seen && end - idleFrom > 70 * 60 && random.nextInt(10) > 0) {
            int told = idleFrom + 65 * 60;
            int wait = random.nextInt(10, 120) * 60;
            boolean cancelled = random.nextInt(10) < 5 && told + wait < end;
            if (cancelled) {
                end = told + wait;
                state = "CANCELLED";
            }
            finding(findings, job, start, person, idleFrom, told, cancelled || random.nextBoolean() ? end : -1);
        }
        for (int gpu : taken) {
            if (seen) {
                held.get(gpu).add(new Hold(job, start, idleFrom, end, busy));
            }
            boolean breaks = gpu / GPUS_OF_NODE == BROKEN && end > seconds / 2;
            if (!breaks) {
                pool.add(new Free(end, gpu));
            }
        }
        if (start >= seconds) {
            return;
        }
        int limit = Math.max(length, 60) * (person.account().equals("math") ? 30 : random.nextInt(1, 7));
        TreeSet<String> nodes = new TreeSet<>();
        taken.forEach(gpu -> nodes.add(node(gpu / GPUS_OF_NODE)));
        if (nodes.isEmpty()) {
            nodes.add(node(random.nextInt(gpus / GPUS_OF_NODE)));
        }
        played.number(job)
                .number(ms(start))
                .number(ms(end))
                .number(ms(submit))
                .number(ms(idleFrom))
                .text(person.name())
                .text(person.account())
                .text(person.account().equals("bio") ? "aicentre" : "prioritized")
                .text(count == 0 ? "short" : count > 2 ? "allgpus" : "normal")
                .number(taken.size())
                .text(count == 0 ? "" : MODELS[model])
                .text(state)
                .flag(random.nextInt(5) == 0)
                .number(limit * 1000L)
                .real(busy)
                .real(full)
                .text(Json.write(List.copyOf(nodes)))
                .number(Math.max(2, 6 * taken.size()))
                .end();
        int place = 0;
        for (int gpu : taken) {
            places.number(job).number(ms(start)).number(place++).number(gpu).end();
        }
    }

    private int wantedModel() {
        double at = random.nextDouble() * (WANTED[0] + WANTED[1] + WANTED[2] + WANTED[3]);
        for (int model = 0; model < 3; model++) {
            at -= WANTED[model];
            if (at <= 0) {
                return model;
            }
        }
        return 3;
    }

    private long ms(int second) {
        return fromMs + second * 1000L;
    }

    private void finding(Rows rows, long job, int start, Person person, int since, int told, int cleared)
            throws SQLException {
        rows.number(job).number(ms(start)).text(person.name()).number(ms(since)).number(ms(told));
        if (cleared < 0) {
            rows.none();
        } else {
            rows.number(ms(cleared));
        }
        rows.end();
    }

    private void insert(Session session) throws SQLException {
        long toMs = ms(seconds);
        session.execute("""
                INSERT INTO run (cluster, job_id, start_ms, user_name, uid, account, partition_name, qos, name, interactive,
                  submit_ms, end_ms, time_limit_ms, suspended_ms, state, state_text, nodes, cpus, memory_bytes, gpus, tres,
                  as_of_ms)
                SELECT 'lab', job_id, start_ms, user_name, 20000, account, partition_name, qos, 'train', interactive,
                  submit_ms, CASE WHEN end_ms <= :to THEN end_ms END, limit_ms, 0,
                  CASE WHEN end_ms <= :to THEN state ELSE 'RUNNING' END, state, nodes, cpus, 40000000000 * greatest(gpus, 1), gpus,
                  'cpu=' || cpus || ',mem=' || 40 * greatest(gpus, 1) || 'G,node=1,billing=' || cpus
                    || CASE WHEN gpus > 0 THEN ',gres/gpu=' || gpus || ',gres/gpu:' || model || '=' || gpus ELSE '' END, least(end_ms, :to)
                FROM played""".replace(":to", Long.toString(toMs)));
        session.execute("""
                INSERT INTO finding (cluster, job_id, start_ms, rule, since_ms, state, last_seen_ms, clear_since_ms, told_ms,
                  user_name, summary, fix, evidence, step_planned, step_done, step_done_ms)
                SELECT 'lab', job_id, start_ms, 'idle-gpu', since_ms, CASE WHEN cleared_ms IS NULL THEN 'TOLD' ELSE 'RESOLVED' END,
                  told_ms, cleared_ms, told_ms, user_name, 'idle', 'end it', '{}', 1, 1, told_ms FROM found""");
        session.execute("""
                INSERT INTO run_gpu
                SELECT 'lab', h.job_id, h.start_ms, h.place, p.node, h.gpu % 8, p.model, p.uuid, 'CERTAIN'
                FROM held h JOIN place p ON p.gpu = h.gpu JOIN played r ON r.job_id = h.job_id""");
        session.execute("""
                INSERT INTO run_gpu_summary (cluster, job_id, start_ms, place, node, uuid, given, gres_index, samples, covered_ms,
                  measured_ms, used_ms, busy_ms, idle_ms, utilization_max, memory_max_bytes, processes_max, energy_joules,
                  idle_energy_joules)
                SELECT 'lab', s.job_id, s.start_ms, s.place, s.node, s.uuid, TRUE, s.place, 10, s.busy_ms + s.idle_ms,
                  s.busy_ms + s.idle_ms, CAST(s.busy_ms * s.busy AS BIGINT), s.busy_ms, s.idle_ms, s.busy,
                  CAST(s.fullness * 34359738368 AS BIGINT), 1, s.busy_ms / 1000.0 * (60 + 220 * s.busy) + s.idle_ms / 1000.0 * 55,
                  s.idle_ms / 1000.0 * 55
                FROM (
                  SELECT r.job_id, r.start_ms, h.place, p.node, p.uuid, r.busy, r.fullness,
                    CAST((r.idle_ms - r.start_ms) * 0.97 AS BIGINT) AS busy_ms,
                    CAST((r.end_ms - r.idle_ms) * 0.97 AS BIGINT) AS idle_ms
                  FROM played r JOIN held h ON h.job_id = r.job_id JOIN place p ON p.gpu = h.gpu
                  WHERE r.end_ms <= :to) s""".replace(":to", Long.toString(toMs)));
        session.execute("""
                INSERT INTO run_summary (cluster, job_id, start_ms, end_ms, made_ms, busy_above, gpus, covered_ms, measured_ms,
                  used_ms, busy_ms, idle_ms, nodes_seen, cpu_seconds, memory_max_bytes, processes_max)
                SELECT 'lab', job_id, start_ms, end_ms, end_ms, 0.01, gpus, 0, 0, 0, 0, 0, 1,
                  (end_ms - start_ms) / 1000.0 * cpus * (10 + hash(job_id) % 70) / 100.0,
                  CAST(40000000000 * greatest(gpus, 1) * (5 + hash(job_id * 3) % 80) / 100 AS BIGINT), 4 FROM played
                WHERE end_ms <= :to""".replace(":to", Long.toString(toMs)));
        session.execute(SummaryTables.FILL_GIVEN);
        session.execute(SummaryTables.FILL_GIVEN_NONE);
    }

    // ---- what GPUs did

    /** As the sealer leaves it: one sorted file for each day. */
    private void rollups(Session session, Path sealed) throws SQLException, IOException {
        DateTimeFormatter format = DateTimeFormatter.ofPattern("uuuuMMdd").withZone(ZoneOffset.UTC);
        int[] at = new int[gpus];
        for (long dayMs = Math.floorDiv(fromMs, 86_400_000L) * 86_400_000L; dayMs < ms(seconds); dayMs += 86_400_000L) {
            session.execute("""
                    CREATE OR REPLACE TEMPORARY TABLE five (gpu INTEGER, at_ms BIGINT, busy_ms INTEGER, idle_ms INTEGER,
                      used_ms DOUBLE, holders INTEGER, job_id BIGINT, run_start_ms BIGINT)""");
            long rowsOfDay = 0;
            try (Rows rows = session.appendTemporary("five")) {
                for (int gpu = 0; gpu < gpus; gpu++) {
                    for (long endMs = dayMs + 300_000; endMs <= dayMs + 86_400_000L; endMs += 300_000) {
                        int end = (int) ((endMs - fromMs) / 1000);
                        if (end < 300
                                || end > seconds
                                || (gpu / GPUS_OF_NODE == BROKEN && end > seconds / 2)
                                || random.nextInt(40) == 0) {
                            continue;
                        }
                        at[gpu] = five(rows, gpu, end, at[gpu]);
                        rowsOfDay++;
                    }
                }
            }
            if (rowsOfDay > 0) {
                seal(session, sealed, format.format(Instant.ofEpochMilli(dayMs)));
            }
        }
        Sealer.nextGeneration(session);
        RunTables.saveValue(session, Sources.SEALED_UNTIL, Long.toString(ms(seconds)));
    }

    /** Writes five minutes of a GPU; answers the first hold that may matter to the next. */
    private int five(Rows rows, int gpu, int end, int first) throws SQLException {
        List<Hold> holds = held.get(gpu);
        int begin = end - 300;
        int next = first;
        while (next < holds.size() && holds.get(next).to() <= begin) {
            next++;
        }
        int busy = 0;
        double used = 0;
        Deque<Hold> here = new ArrayDeque<>();
        for (int i = next; i < holds.size() && holds.get(i).from() < end; i++) {
            Hold hold = holds.get(i);
            int worked = Math.max(0, Math.min(hold.idleFrom(), end) - Math.max(hold.from(), begin));
            busy += worked;
            used += worked * hold.busy();
            here.add(hold);
        }
        rows.number(gpu)
                .number(ms(end))
                .number(busy * 1000)
                .number((300 - busy) * 1000)
                .real(used * 1000)
                .number(here.size());
        if (here.size() == 1) {
            rows.number(here.element().run()).number(ms(here.element().from()));
        } else {
            rows.none(2);
        }
        rows.end();
        return next;
    }

    private static void seal(Session session, Path sealed, String day) throws SQLException, IOException {
        String name = "gpu_5m/day=" + day + "/1.parquet";
        Path file = sealed.resolve(name);
        Files.createDirectories(file.resolveSibling(""));
        session.execute("""
                COPY (
                  SELECT p.uuid, f.at_ms, p.node, 10 AS samples, f.at_ms - 3 AS last_ms, 300000::BIGINT AS covered_ms,
                    300000::BIGINT AS measured_ms, f.used_ms, 0.01::DOUBLE AS busy_above, f.busy_ms::BIGINT AS busy_ms,
                    f.idle_ms::BIGINT AS idle_ms, CASE WHEN f.busy_ms > 0 THEN 1.0::DOUBLE ELSE 0 END AS utilization_max,
                    CASE WHEN f.busy_ms > 0 THEN f.at_ms END AS busy_at_ms, f.used_ms * 9000.0 AS memory_mean,
                    CAST(f.used_ms * 10000 AS BIGINT) AS memory_max, 10 AS told,
                    CAST(NULL AS DOUBLE) AS energy_first, CAST(NULL AS DOUBLE) AS energy_last, f.busy_ms = 0 AS first_idle,
                    CAST(NULL AS DOUBLE) AS energy_joules,
                    CASE WHEN f.busy_ms > 0 THEN f.idle_ms / 1000.0 * 55 END AS idle_energy_joules,
                    round(55 + f.used_ms / 300000.0 * 220, 1) AS power_mean, 300.0::DOUBLE AS power_max,
                    f.used_ms / 500000.0 AS memory_utilization_mean, 61.0::DOUBLE AS temperature_max,
                    CAST(NULL AS DOUBLE) AS graphics_mean, CAST(NULL AS DOUBLE) AS sm_mean, CAST(NULL AS DOUBLE) AS occupancy_mean,
                    CAST(NULL AS DOUBLE) AS tensor_mean, CAST(NULL AS DOUBLE) AS dram_mean, CAST(NULL AS INTEGER) AS xids,
                    f.holders, f.job_id, f.run_start_ms
                  FROM five f JOIN place p ON p.gpu = f.gpu ORDER BY p.uuid, f.at_ms
                ) TO %s (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd)""".formatted(Sources.literal(file)));
        session.execute("INSERT INTO sealed_file SELECT 'gpu_5m', '" + day + "', '" + name + "', count(*), "
                + Files.size(file) + ", min(at_ms), max(at_ms), 300000, " + Schema.VERSION + " FROM five");
    }

    // ---- scratch, and who may charge what

    private static List<NodeSnapshot> scratch(Instant from, Instant to) {
        List<NodeSnapshot> snapshots = new ArrayList<>();
        for (int node = 0; node < 3; node++) {
            List<DirectoryUse> directories = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                boolean gone = i % 13 == 5;
                int person = i * 7 + node;
                directories.add(new DirectoryUse(
                        "its.user%03d".formatted(person),
                        OptionalInt.of(20000 + person),
                        gone ? Optional.empty() : Optional.of("user%03d@cs.aau.dk".formatted(person)),
                        gone ? Owner.GONE : Owner.KNOWN,
                        (40L - i) << 35,
                        1000L * i,
                        Optional.of(to.minus(Duration.ofDays(i * 5L))),
                        Optional.empty()));
            }
            NodeSnapshot plain = Given.snapshot(node(node * 4), 1, to);
            snapshots.add(new NodeSnapshot(
                    plain.version(),
                    plain.node(),
                    plain.bootId(),
                    plain.sequence(),
                    from,
                    plain.period(),
                    plain.agent(),
                    plain.probes(),
                    plain.host(),
                    plain.gpuDriver(),
                    plain.gpus(),
                    plain.jobs(),
                    plain.users(),
                    List.of(new ScratchUse(
                            "/raid",
                            30L << 40,
                            (26L + node) << 40,
                            (4L - node) << 40,
                            OptionalLong.empty(),
                            OptionalLong.empty(),
                            Optional.of(new ScratchUse.Directories("quota", to, directories, 0)),
                            Optional.empty()))));
        }
        return snapshots;
    }

    private static AccountTree accounts(Instant at, List<Person> people) {
        List<Account> accounts = List.of(
                account("root", Optional.empty()),
                account("technology", Optional.of("root")),
                account("science", Optional.of("root")),
                account("cs", Optional.of("technology")),
                account("cs.students", Optional.of("cs")),
                account("es", Optional.of("technology")),
                account("es.shj", Optional.of("es")),
                account("build", Optional.of("technology")),
                account("math", Optional.of("science")),
                account("bio", Optional.of("science")));
        List<Association> associations = new ArrayList<>();
        List<SlurmUser> users = new ArrayList<>();
        for (Person person : people) {
            associations.add(association(person.name(), person.account()));
            users.add(new SlurmUser(person.name(), Optional.of(person.account()), "None"));
        }
        for (int i = 0; i < 12; i++) {
            associations.add(association("old%02d@student.aau.dk".formatted(i), "cs.students"));
            users.add(new SlurmUser("old%02d@student.aau.dk".formatted(i), Optional.of("cs.students"), "None"));
        }
        List<Qos> qos = List.of(
                new Qos("normal", 100, limits("cpu=20,gres/gpu=2", Duration.ofDays(2))),
                new Qos("short", 200, limits("cpu=32,gres/gpu=4", Duration.ofMinutes(20))),
                new Qos("allgpus", 50, limits("cpu=48,gres/gpu=8", Duration.ofDays(21))),
                new Qos("1cpu", 1, limits("cpu=1", Duration.ofHours(6))));
        return new AccountTree(at, "lab", accounts, associations, users, qos);
    }

    private static Account account(String name, Optional<String> parent) {
        return new Account(name, parent, "", "", List.of(), List.of("normal", "short", "allgpus"), Limits.NONE);
    }

    private static Association association(String user, String account) {
        return new Association(
                user,
                account,
                Optional.empty(),
                Optional.of("normal"),
                List.of("normal", "short", "allgpus"),
                OptionalLong.of(1),
                Limits.NONE);
    }

    private static Limits limits(String perUser, Duration wall) {
        return new Limits(perUser, "", "", OptionalInt.empty(), OptionalInt.empty(), Optional.of(wall));
    }
}
