package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.GpuDevice;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Where rows of readings lie: in a table, and in sealed files that {@code sealed_file} names. A query asks here for the
 * text that stands behind {@code FROM}, and says for which times, so that only files of those hours are opened however
 * many there are. Immutable; as one transaction saw them.
 *
 * <p>This is DuckDB's own: a store that partitions its tables itself gives the table's name.
 */
final class Sources {
    /** Which version of {@code sealed_file} this is, in {@code meta}. */
    static final String GENERATION = "sealed_generation";

    /** Nothing is sealed. */
    static final Sources NONE = new Sources(Path.of(""), "", Map.of(), Map.of(), Long.MIN_VALUE, 0, uuid -> null);

    static final String SEALED_UNTIL = "sealed_until_ms";

    /** From when on all of a table is still there; readings before it are gone. */
    static final String KEPT_FROM = "kept_from_ms.";

    /**
     * A part of time, {@code (fromMs, toMs]}.
     *
     * @param fromMs begin
     * @param toMs end
     */
    record Interval(long fromMs, long toMs) {}

    /**
     * A sealed file.
     *
     * @param name below the directory of sealed files
     * @param minMs time of its first row
     * @param maxMs time of its last row
     * @param periodMs longest period that a row of it covers
     * @param version of the schema that wrote it
     */
    record File(String name, long minMs, long maxMs, long periodMs, int version) {}

    private final Path sealed;
    private final String generation;
    private final Map<String, List<File>> files;
    private final Map<String, Long> keptFromMs;
    private final long sealedUntilMs;
    private final double busyAboveRatio;
    private final Devices devices;

    /** Tells a GPU as its node knows it, which is in memory; null: never reported. */
    interface Devices {
        @Nullable
        GpuDevice device(String uuid);
    }

    private Sources(
            Path sealed,
            String generation,
            Map<String, List<File>> files,
            Map<String, Long> keptFromMs,
            long sealedUntilMs,
            double busyAboveRatio,
            Devices devices) {
        this.sealed = sealed;
        this.generation = generation;
        this.files = files;
        this.keptFromMs = keptFromMs;
        this.sealedUntilMs = sealedUntilMs;
        this.busyAboveRatio = busyAboveRatio;
        this.devices = devices;
    }

    /** What the session's transaction sees; {@code last} if that is still so. */
    static Sources load(Session session, Path sealed, Sources last) throws SQLException {
        String generation = generation(session);
        return last.generation.equals(generation)
                ? last
                : load(session, sealed, generation, last.busyAboveRatio, last.devices);
    }

    /**
     * What the session's transaction sees.
     *
     * @param busyAboveRatio above which roll-ups call a GPU busy
     */
    static Sources load(Session session, Path sealed, double busyAboveRatio, Devices devices) throws SQLException {
        return load(session, sealed, generation(session), busyAboveRatio, devices);
    }

    private static String generation(Session session) throws SQLException {
        return session.query("SELECT value FROM meta WHERE name = ?", Cells::text, GENERATION).stream()
                .findFirst()
                .orElse("");
    }

    private static Sources load(Session session, Path sealed, String generation, double busyAboveRatio, Devices devices)
            throws SQLException {
        Map<String, List<File>> files = new HashMap<>();
        session.query("""
                SELECT table_name, name, min_at_ms, max_at_ms, max_period_ms, version FROM sealed_file
                ORDER BY table_name, min_at_ms, name""", cells -> files.computeIfAbsent(cells.text(), table -> new ArrayList<>())
                .add(new File(cells.text(), cells.number(), cells.number(), cells.number(), cells.integer())));
        Map<String, Long> keptFrom = new HashMap<>();
        session.query(
                "SELECT name, value FROM meta WHERE name LIKE '" + KEPT_FROM + "%'",
                cells -> keptFrom.put(cells.text().substring(KEPT_FROM.length()), Long.valueOf(cells.text())) == null);
        long until = session.query("SELECT value FROM meta WHERE name = ?", Cells::text, SEALED_UNTIL).stream()
                .mapToLong(Long::parseLong)
                .findFirst()
                .orElse(Long.MIN_VALUE);
        return new Sources(sealed, generation, files, keptFrom, until, busyAboveRatio, devices);
    }

    /** The devices of these uuids, by uuid, as far as they were ever reported. */
    Map<String, GpuDevice> devices(Collection<String> uuids) {
        Map<String, GpuDevice> known = new HashMap<>();
        for (String uuid : uuids) {
            GpuDevice device = devices.device(uuid);
            if (device != null) {
                known.put(uuid, device);
            }
        }
        return known;
    }

    /** The device that is in memory anyway, if it is the same: each has several texts, and a large cluster many. */
    GpuDevice shared(GpuDevice device) {
        GpuDevice known = devices.device(device.uuid());
        return known != null && device.equals(known) ? known : device;
    }

    /** Until when hours are sealed; what comes later for an earlier hour waits in its table for the next time. */
    long sealedUntilMs() {
        return sealedUntilMs;
    }

    /** Whether roll-ups call a GPU busy above this ratio. */
    boolean isBusyAbove(double ratio) {
        return ratio == busyAboveRatio;
    }

    /** From when on all of a table is still there. */
    long keptFromMs(String table) {
        return keptFromMs.getOrDefault(table, Long.MIN_VALUE);
    }

    /** The sealed files of a table that hold a row whose period touches one of the intervals. */
    List<File> files(String table, List<Interval> intervals) {
        return files.getOrDefault(table, List.of()).stream()
                .filter(file -> intervals.stream()
                        .anyMatch(
                                part -> file.maxMs() > part.fromMs() && file.minMs() - file.periodMs() <= part.toMs()))
                .toList();
    }

    /** All sealed files of a table. */
    List<File> files(String table) {
        return files.getOrDefault(table, List.of());
    }

    /**
     * The table's rows, with {@code sealed} to say of each whether it is.
     *
     * @param intervals which sealed files are wanted; what the table itself holds is always among the rows
     */
    String of(String table, List<Interval> intervals) {
        return from(table, files(table, intervals));
    }

    /** The table's rows of {@code (fromMs, toMs]} and more, as they are, wherever they lie. */
    String rows(String table, long fromMs, long toMs) {
        List<File> wanted = files(table, List.of(new Interval(fromMs, toMs)));
        return wanted.isEmpty()
                ? table
                : "(SELECT * FROM " + table + " UNION ALL BY NAME SELECT * FROM " + parquet(sealed, wanted) + ")";
    }

    private String from(String table, List<File> wanted) {
        String hot = "SELECT *, FALSE AS sealed FROM " + table;
        return wanted.isEmpty()
                ? "(" + hot + ")"
                : "(" + hot + " UNION ALL BY NAME SELECT *, TRUE AS sealed FROM " + parquet(sealed, wanted) + ")";
    }

    /** As {@link #of(String, List)}, all sealed files with a row in {@code (fromMs, toMs]}. */
    String of(String table, long fromMs, long toMs) {
        return of(table, List.of(new Interval(fromMs, toMs)));
    }

    /** The rows of some files in their order. */
    static String parquet(Path sealed, List<File> wanted) {
        boolean sameColumns = wanted.stream().mapToInt(File::version).distinct().count() == 1;
        return wanted.stream()
                .map(file -> literal(sealed.resolve(file.name())))
                .collect(Collectors.joining(
                        ", ", "read_parquet([", "], hive_partitioning = false, union_by_name = " + !sameColumns + ")"));
    }

    /**
     * The name of a table that a file says.
     *
     * @throws IllegalArgumentException if no table has such a name
     */
    static String name(String table) {
        if (!table.matches("[a-z][a-z0-9_]{0,60}")) {
            throw new IllegalArgumentException("table: " + table + " (expected: a name such as run_gpu)");
        }
        return table;
    }

    /** The names are ours; the directory above them is the administrator's and may hold anything. */
    static String literal(Path path) {
        return "'" + path.toString().replace("'", "''") + "'";
    }
}
