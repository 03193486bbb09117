package io.fairwatch.collector.store;

import io.fairwatch.collector.store.Rollups.Readings;
import io.fairwatch.collector.store.Sources.File;
import io.fairwatch.collector.store.Store.StoreException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves whole hours of readings out of the tables into sorted Parquet files, makes roll-ups of them on the way, and
 * forgets days that are older than they are to be kept. Confined to one thread at a time; has a session of its own, so
 * that nobody who writes or reads waits for it.
 *
 * <p>The hours of one day and table are moved in one transaction, which also names the new files in {@code sealed_file}.
 * A file that is not named there does not exist: so a reader sees each row once, whatever instant it asks at, and after a
 * kill at any instant files without a name are swept away and their hours are sealed again.
 *
 * <p>An hour's readings lie in {@code TABLE/day=YYYYMMDD/HH.parquet}; what comes for an hour that is sealed already lies
 * in {@code HH-1.parquet} and so on. The roll-ups of a day are one file, written anew with each hour, so that a year is
 * not nine thousand files.
 */
final class Sealer {
    private static final Logger LOG = LoggerFactory.getLogger(Sealer.class);
    private static final DateTimeFormatter DAY =
            DateTimeFormatter.ofPattern("uuuuMMdd").withZone(ZoneOffset.UTC);
    private static final long DAY_MS = Duration.ofDays(1).toMillis();
    private static final String TEMPORARY = ".tmp";

    /** Roll-ups of a day up to this many are sorted as a whole; more are sorted within each hour only. */
    private static final long SORTED_WHOLE = 2_000_000;

    /** Hours of backlog that one transaction moves at most. */
    private static final int HOURS_AT_ONCE = 24;

    /** Where a test may stop the world. */
    enum Step {
        COPIED,
        SYNCED,
        RENAMED,
        ROLLED_UP,
        DELETED,
        COMMITTED,
        FORGOTTEN,
        UNLINKED
    }

    /** What a test does at a step. */
    @FunctionalInterface
    interface Fault {
        Fault NONE = step -> {};

        void at(Step step);
    }

    private record Hour(String table, String day, long fromMs) {
        long toMs() {
            return fromMs + Rollups.HOUR_MS;
        }

        String where() {
            return "at_ms > " + fromMs + " AND at_ms <= " + toMs();
        }

        int number() {
            return (int) (fromMs % DAY_MS / Rollups.HOUR_MS);
        }
    }

    private record Sealed(
            String table, String day, String name, long rows, long bytes, long min, long max, long period) {}

    private final Path sealed;
    private final Keep keep;
    private final double busyAboveRatio;
    private final Fault fault;
    private final Duration grace;

    /** Files without a name, and since when they are known to be so: a reader may have begun before. */
    private final Map<String, Long> nameless = new HashMap<>();

    /**
     * Made once for a store.
     *
     * @param sealed the directory of sealed files
     * @param grace how long a reader may go on with files that have lost their name
     */
    Sealer(Path sealed, Keep keep, double busyAboveRatio, Duration grace, Fault fault) {
        this.sealed = sealed;
        this.keep = keep;
        this.busyAboveRatio = busyAboveRatio;
        this.grace = grace;
        this.fault = fault;
    }

    /** Until when everything is sealed at an instant: the hour that runs and the one before it stay in the tables. */
    static long dueUntilMs(Instant now) {
        return Math.floorDiv(now.toEpochMilli(), Rollups.HOUR_MS) * Rollups.HOUR_MS - Rollups.HOUR_MS;
    }

    /**
     * Seals every hour that ends at or before {@code untilMs}. When one table fails, the others are sealed all the same.
     *
     * @param goOn asked between two hours
     */
    void seal(Session session, long untilMs, BooleanSupplier goOn) throws StoreException {
        StoreException failed = null;
        for (Readings readings : Rollups.ALL) {
            try {
                seal(session, readings, untilMs, goOn);
            } catch (SQLException | IOException e) {
                StoreException failure =
                        new StoreException("store: sealing of " + readings.table() + " failed: " + reason(e), e);
                if (failed == null) {
                    failed = failure;
                } else {
                    failed.addSuppressed(failure);
                }
            }
        }
        if (failed != null) {
            throw failed;
        }
    }

    private static String reason(Exception e) {
        return String.valueOf(e.getMessage()).lines().findFirst().orElse("");
    }

    private void seal(Session session, Readings readings, long untilMs, BooleanSupplier goOn)
            throws SQLException, IOException {
        Map<String, List<Hour>> byDay = new TreeMap<>();
        session.query(
                        "SELECT DISTINCT at_ms - 1 - (at_ms - 1) % " + Rollups.HOUR_MS + " AS hour_ms FROM "
                                + readings.table() + " WHERE at_ms <= " + untilMs + " ORDER BY hour_ms",
                        Cells::number)
                .forEach(fromMs -> {
                    String day = DAY.format(Instant.ofEpochMilli(fromMs));
                    byDay.computeIfAbsent(day, first -> new ArrayList<>()).add(new Hour(readings.table(), day, fromMs));
                });
        for (List<Hour> hours : byDay.values()) {
            for (int i = 0; i < hours.size() && goOn.getAsBoolean(); i += HOURS_AT_ONCE) {
                long began = System.nanoTime();
                List<Hour> some = hours.subList(i, Math.min(hours.size(), i + HOURS_AT_ONCE));
                boolean committed = false;
                session.begin();
                try {
                    long rows = move(session, readings, some);
                    session.commit();
                    committed = true;
                    LOG.debug(
                            "sealed table={} day={} hours={} rows={} ms={}",
                            readings.table(),
                            some.get(0).day(),
                            some.size(),
                            rows,
                            (System.nanoTime() - began) / 1_000_000);
                } finally {
                    if (!committed) {
                        rollBack(session);
                    }
                }
                fault.at(Step.COMMITTED);
            }
        }
    }

    private static void rollBack(Session session) {
        try {
            session.rollback();
        } catch (SQLException e) {
            LOG.debug("nothing to roll back", e); // a failed statement has done so already
        }
    }

    private long move(Session session, Readings readings, List<Hour> hours) throws SQLException, IOException {
        Sources before = Sources.load(session, sealed, busyAboveRatio, uuid -> null);
        List<Sealed> made = new ArrayList<>();
        session.execute("CREATE OR REPLACE TEMPORARY TABLE rolled AS SELECT * FROM " + readings.rollup() + " LIMIT 0");
        for (Hour hour : hours) {
            made.add(copy(session, readings, hour, before));
            for (long end : fives(session, readings, hour)) {
                session.execute("INSERT INTO rolled " + readings.sum(end, busyAboveRatio));
            }
        }
        String day = hours.get(0).day();
        List<File> old = before.files(readings.rollup()).stream()
                .filter(file -> file.name().startsWith(folder(readings.rollup(), day)))
                .toList();
        made.addAll(rollUp(session, readings, day, old));
        fault.at(Step.ROLLED_UP);
        forgetSummaries(session, hours, before);
        for (Hour hour : hours) {
            session.execute("DELETE FROM " + readings.table() + " WHERE " + hour.where());
        }
        for (File file : old) {
            session.update("DELETE FROM sealed_file WHERE name = ?", file.name());
        }
        for (Sealed file : made) {
            session.update(
                    "INSERT INTO sealed_file VALUES (?, ?, ?, ?, ?, ?, ?, ?, " + Schema.VERSION + ")",
                    file.table(),
                    file.day(),
                    file.name(),
                    file.rows(),
                    file.bytes(),
                    file.min(),
                    file.max(),
                    file.period());
        }
        nextGeneration(session);
        fault.at(Step.DELETED);
        return made.stream().mapToLong(Sealed::rows).sum();
    }

    private static List<Long> fives(Session session, Readings readings, Hour hour) throws SQLException {
        return session.query(
                "SELECT DISTINCT at_ms - 1 - (at_ms - 1) % " + Rollups.LENGTH_MS + " + " + Rollups.LENGTH_MS
                        + " AS end_ms FROM " + readings.table() + " WHERE " + hour.where() + " ORDER BY end_ms",
                Cells::number);
    }

    private Sealed copy(Session session, Readings readings, Hour hour, Sources before)
            throws SQLException, IOException {
        String folder = folder(readings.table(), hour.day());
        String begin = "%s%02d".formatted(folder, hour.number());
        long sealedBefore = before.files(readings.table()).stream()
                .filter(file -> file.name().startsWith(begin))
                .count();
        String name = begin + (sealedBefore == 0 ? "" : "-" + sealedBefore) + ".parquet";
        write(
                session,
                "SELECT * FROM " + readings.table() + " WHERE " + hour.where() + " ORDER BY " + readings.order(),
                name);
        return describe(
                session,
                readings.table(),
                hour.day(),
                name,
                readings.period(),
                readings.table() + " WHERE " + hour.where());
    }

    private List<Sealed> rollUp(Session session, Readings readings, String day, List<File> old)
            throws SQLException, IOException {
        long fresh = session.query("SELECT count(*) FROM rolled", Cells::number).get(0);
        if (fresh == 0) {
            return List.of();
        }
        String folder = folder(readings.rollup(), day);
        int generation = old.stream()
                .mapToInt(file ->
                        Integer.parseInt(file.name().substring(folder.length()).replace(".parquet", "")))
                .max()
                .orElse(0);
        String name = folder + (generation + 1) + ".parquet";
        String rows;
        if (old.isEmpty()) {
            rows = "SELECT * FROM rolled ORDER BY " + readings.rollupOrder();
        } else {
            String files = Sources.parquet(sealed, old);
            long known = session.query("SELECT count(*) FROM " + files, Cells::number)
                    .get(0);
            rows = known + fresh <= SORTED_WHOLE
                    ? "SELECT * FROM (SELECT * FROM " + files + " UNION ALL BY NAME SELECT * FROM rolled) r ORDER BY "
                            + readings.rollupOrder()
                    : "SELECT * FROM " + files + " UNION ALL BY NAME (SELECT * FROM rolled ORDER BY "
                            + readings.rollupOrder() + ")";
        }
        write(session, rows, name);
        return List.of(describe(
                session,
                readings.rollup(),
                day,
                name,
                Long.toString(Rollups.LENGTH_MS),
                "read_parquet([" + Sources.literal(sealed.resolve(name)) + "])"));
    }

    /** Writes rows into a file that is whole or not there. */
    private void write(Session session, String rows, String name) throws SQLException, IOException {
        Path file = sealed.resolve(name);
        Path temporary = sealed.resolve(name + TEMPORARY);
        Path folder = temporary.resolveSibling("");
        Files.createDirectories(
                folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        try {
            session.execute("COPY (" + rows + ") TO " + Sources.literal(temporary)
                    + " (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd)");
            fault.at(Step.COPIED);
            sync(temporary, StandardOpenOption.WRITE);
            fault.at(Step.SYNCED);
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            sync(folder, StandardOpenOption.READ);
            sync(folder.resolveSibling(""), StandardOpenOption.READ);
            fault.at(Step.RENAMED);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    private static void sync(Path path, StandardOpenOption how) throws IOException {
        try (FileChannel channel = FileChannel.open(path, how)) {
            channel.force(true);
        }
    }

    private Sealed describe(Session session, String table, String day, String name, String period, String rows)
            throws SQLException, IOException {
        long bytes = Files.size(sealed.resolve(name));
        return session.query(
                        "SELECT count(*), min(at_ms), max(at_ms), CAST(max(" + period + ") AS BIGINT) FROM " + rows,
                        cells -> new Sealed(
                                table,
                                day,
                                name,
                                cells.number(),
                                bytes,
                                cells.number(),
                                cells.number(),
                                cells.number()))
                .get(0);
    }

    private static String folder(String table, String day) {
        return table + "/day=" + day + "/";
    }

    /** Summaries of runs that lived in hours of which more is known now; they are made anew from all of it. */
    private static void forgetSummaries(Session session, List<Hour> hours, Sources before) throws SQLException {
        for (Hour hour : hours) {
            String begin = "%s%02d".formatted(folder(hour.table(), hour.day()), hour.number());
            if (before.files(hour.table()).stream()
                    .noneMatch(file -> file.name().startsWith(begin))) {
                continue;
            }
            List<String> nodes =
                    session.query("SELECT DISTINCT node FROM " + hour.table() + " WHERE " + hour.where(), Cells::text);
            for (String node : nodes) {
                session.update("""
                        DELETE FROM run_summary WHERE EXISTS (SELECT 1 FROM run r
                          WHERE r.cluster = run_summary.cluster AND r.job_id = run_summary.job_id
                            AND r.start_ms = run_summary.start_ms AND r.start_ms < ? AND r.end_ms > ?
                            AND position(? IN r.nodes) > 0)""", hour.toMs(), hour.fromMs(), Json.write(node));
            }
        }
    }

    static void nextGeneration(Session session) throws SQLException {
        long last = session.query("SELECT value FROM meta WHERE name = ?", Cells::text, Sources.GENERATION).stream()
                .mapToLong(Long::parseLong)
                .max()
                .orElse(0);
        RunTables.saveValue(session, Sources.GENERATION, Long.toString(last + 1));
    }

    // ---- forgetting

    /** Takes the names of all files of days that are older than they are to be kept; {@link #sweep} unlinks them. */
    void forget(Session session, Instant now) throws SQLException {
        Map<String, Long> from = new LinkedHashMap<>();
        for (Readings readings : Rollups.ALL) {
            from.put(readings.table(), keptFromMs(now, keep.of(readings.table(), false)));
            from.put(readings.rollup(), keptFromMs(now, keep.of(readings.rollup(), true)));
        }
        boolean committed = false;
        session.begin();
        try {
            int forgotten = 0;
            for (Map.Entry<String, Long> table : from.entrySet()) {
                String day = DAY.format(Instant.ofEpochMilli(table.getValue()));
                int old = session.query(
                                "SELECT CAST(count(*) AS INTEGER) FROM sealed_file WHERE table_name = ? AND day < ?",
                                Cells::integer,
                                table.getKey(),
                                day)
                        .get(0);
                if (old > 0) {
                    session.update("DELETE FROM sealed_file WHERE table_name = ? AND day < ?", table.getKey(), day);
                    RunTables.saveValue(session, Sources.KEPT_FROM + table.getKey(), Long.toString(table.getValue()));
                    forgotten += old;
                }
            }
            if (forgotten > 0) {
                nextGeneration(session);
            }
            session.commit();
            committed = true;
            if (forgotten > 0) {
                LOG.info("readings that were kept long enough are forgotten files={}", forgotten);
            }
        } finally {
            if (!committed) {
                rollBack(session);
            }
        }
        fault.at(Step.FORGOTTEN);
    }

    private static long keptFromMs(Instant now, Duration length) {
        return Math.floorDiv(now.minus(length).toEpochMilli(), DAY_MS) * DAY_MS;
    }

    /**
     * Unlinks files without a name.
     *
     * @param atOnce whether nobody can be reading them, because the store was just opened
     */
    void sweep(Session session, boolean atOnce) throws SQLException, IOException {
        Set<String> named = new HashSet<>(session.query("SELECT name FROM sealed_file", Cells::text));
        Set<String> there = files();
        long now = System.nanoTime();
        nameless.keySet().retainAll(there);
        for (String name : there) {
            if (named.contains(name)) {
                nameless.remove(name);
                continue;
            }
            long since = nameless.computeIfAbsent(name, first -> now);
            if (atOnce || now - since >= grace.toNanos()) {
                Path file = sealed.resolve(name);
                Files.deleteIfExists(file);
                nameless.remove(name);
                removeIfEmpty(file.resolveSibling(""));
                fault.at(Step.UNLINKED);
            }
        }
    }

    private Set<String> files() throws IOException {
        if (!Files.isDirectory(sealed)) {
            return Set.of();
        }
        Set<String> names = new TreeSet<>();
        try (Stream<Path> files = Files.walk(sealed, 3)) {
            files.filter(Files::isRegularFile)
                    .map(file -> sealed.relativize(file).toString())
                    .filter(name -> name.endsWith(".parquet") || name.endsWith(TEMPORARY))
                    .forEach(names::add);
        }
        return names;
    }

    private static void removeIfEmpty(Path folder) throws IOException {
        try (Stream<Path> left = Files.list(folder)) {
            if (left.findAny().isPresent()) {
                return;
            }
        }
        Files.deleteIfExists(folder);
    }
}
