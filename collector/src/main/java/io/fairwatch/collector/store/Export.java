package io.fairwatch.collector.store;

import io.fairwatch.collector.store.Copies.Told;
import io.fairwatch.collector.store.Store.StoreException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Writes tables into files that other programs read, one for each table, as one transaction sees them. Columns are those
 * of the tables: {@code _ms} are milliseconds, points in time since 1970 in UTC; what is not known is empty in CSV and NULL
 * in Parquet.
 *
 * @param tables which tables; none: all of {@link #TABLES}
 * @param format how they look
 * @param from not before this; absent: from the beginning
 * @param to before this; absent: up to now
 */
public record Export(List<String> tables, Format format, Optional<Instant> from, Optional<Instant> to) {
    /** How files look. */
    public enum Format {
        PARQUET("parquet", "FORMAT parquet, COMPRESSION zstd"),
        CSV("csv", "FORMAT csv, HEADER"),
        CSV_GZ("csv.gz", "FORMAT csv, HEADER, COMPRESSION gzip");

        /** What their names end with, and what people say for it. */
        public final String word;

        private final String options;

        Format(String word, String options) {
            this.word = word;
            this.options = options;
        }

        /**
         * What people say for one.
         *
         * @throws IllegalArgumentException if it is none
         */
        public static Format of(String word) {
            for (Format format : values()) {
                if (format.word.equals(word.toLowerCase(Locale.ROOT))) {
                    return format;
                }
            }
            throw new IllegalArgumentException("format: " + word + " (expected: parquet, csv or csv.gz)");
        }
    }

    /** Which rows of a table belong to a time: {@code :from} and {@code :to} stand for its ends in milliseconds. */
    private static final Map<String, String> WITHIN = within();

    /** All tables that can be exported, by name. */
    public static final List<String> TABLES = List.copyOf(WITHIN.keySet());

    public Export {
        tables = tables.isEmpty() ? TABLES : List.copyOf(tables);
        for (String table : tables) {
            if (!TABLES.contains(table)) {
                throw new IllegalArgumentException(
                        "tables: " + table + " (expected: some of " + String.join(", ", TABLES) + ")");
            }
        }
        if (from.isPresent() && to.isPresent() && !from.get().isBefore(to.get())) {
            throw new IllegalArgumentException(
                    "from, to: " + from.get() + ", " + to.get() + " (expected: an earlier from)");
        }
    }

    private static Map<String, String> within() {
        Map<String, String> within = new LinkedHashMap<>();
        for (String lived : List.of("run", "run_summary")) {
            within.put(lived, "start_ms < :to AND (end_ms IS NULL OR end_ms > :from)");
        }
        for (String of : List.of("run_gpu", "run_gpu_summary", "run_node_summary")) {
            within.put(
                    of,
                    "EXISTS (SELECT 1 FROM run r WHERE r.cluster = t.cluster AND r.job_id = t.job_id AND r.start_ms ="
                            + " t.start_ms AND r.start_ms < :to AND (r.end_ms IS NULL OR r.end_ms > :from))");
        }
        Rollups.tables().forEach(table -> within.put(table, "at_ms > :from AND at_ms <= :to"));
        within.put("node_state", "from_ms < :to AND (until_ms IS NULL OR until_ms > :from)");
        within.put("finding", "since_ms < :to AND last_seen_ms >= :from");
        within.put("notice", "created_ms >= :from AND created_ms < :to");
        within.put("exemption", "from_ms < :to AND (until_ms IS NULL OR until_ms > :from)");
        within.put("audit", "at_ms >= :from AND at_ms < :to");
        within.put("bounce", "at_ms >= :from AND at_ms < :to");
        // what is now
        for (String now : List.of(
                "node",
                "gpu",
                "pending",
                "slurm_node",
                "slurm_account",
                "slurm_association",
                "slurm_user",
                "slurm_qos")) {
            within.put(now, "TRUE");
        }
        return within;
    }

    /**
     * Writes the files. Nobody may seal or forget meanwhile.
     *
     * @param session of its own
     * @param target a directory, made if it is missing; files of the same names must not be there
     */
    Copies write(Session session, Path sealed, Sources sources, Path target, Told told)
            throws SQLException, IOException, StoreException {
        Files.createDirectories(target);
        for (String table : tables) {
            if (Files.exists(file(target, table), LinkOption.NOFOLLOW_LINKS)) {
                throw new StoreException(
                        "export: " + file(target, table) + " is there already (expected: files that are made now)");
            }
        }
        long fromMs = from.map(Instant::toEpochMilli).orElse(Long.MIN_VALUE + 1);
        long toMs = to.map(Instant::toEpochMilli).orElse(Long.MAX_VALUE);
        long rows = 0;
        long bytes = 0;
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < tables.size(); i++) {
            String table = tables.get(i);
            told.now(table, i, tables.size());
            Path file = file(target, table);
            Path partial = file.resolveSibling(file.getFileName() + ".partial");
            boolean isReading = Rollups.tables().contains(table);
            String source = isReading ? sources.rows(table, fromMs, toMs) : table;
            String where = WITHIN.getOrDefault(table, "TRUE")
                    .replace(":from", Long.toString(fromMs))
                    .replace(":to", Long.toString(toMs));
            try {
                session.execute("COPY (SELECT * FROM " + source + " t WHERE " + where + ") TO "
                        + Sources.literal(partial) + " (" + format.options + ")");
                long written = session.query("SELECT count(*) FROM " + source + " t WHERE " + where, Cells::number)
                        .get(0);
                Files.move(partial, file, StandardCopyOption.ATOMIC_MOVE);
                rows += written;
                bytes += Files.size(file);
                lines.add(
                        String.format(Locale.ROOT, "%-20s %,14d rows  %,16d bytes", table, written, Files.size(file)));
            } finally {
                Files.deleteIfExists(partial);
            }
        }
        return new Copies(tables.size(), rows, bytes, lines);
    }

    private Path file(Path target, String table) {
        return target.resolve(table + "." + format.word);
    }
}
