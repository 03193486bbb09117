package io.fairwatch.collector.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.fairwatch.collector.store.Copies.Told;
import io.fairwatch.collector.store.Store.StoreException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Copies a store that is in use, and makes a store of such a copy. A backup is a directory that looks as the store's own:
 * the database file as one transaction saw it, the sealed files that it names, and a list of all that. So it can be looked
 * into with DuckDB, copied with any tool, and checked before it is needed.
 *
 * <p>Sealed files never change, so on the same file system they get a second name and cost no space; elsewhere they are
 * copied. A backup has another name until it is whole, so that half a one is never taken for one.
 */
final class Backup {
    static final String LIST = "backup.json";
    private static final String PARTIAL = ".partial";
    /** The database while it is restored: a store that has such a file is not whole. */
    static final String RESTORING = "fairwatch.duckdb.restoring";

    private static final String DATABASE = "fairwatch.duckdb";
    private static final String SEALED = "sealed";
    private static final Set<PosixFilePermission> OWNER_ONLY = PosixFilePermissions.fromString("rwx------");
    private static final JsonMapper JSON = JsonMapper.builder()
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .build();

    /**
     * What is in a backup. Immutable.
     *
     * @param fairwatchBackup version of this list
     * @param schema version of the tables
     * @param madeAt when, as text of ISO 8601
     * @param databaseBytes size of the database file
     * @param tables rows of each table in it
     * @param sealed sealed files
     */
    record Contents(
            int fairwatchBackup,
            int schema,
            String madeAt,
            long databaseBytes,
            Map<String, Long> tables,
            List<SealedFile> sealed) {
        long bytes() {
            return databaseBytes + sealed.stream().mapToLong(SealedFile::bytes).sum();
        }

        long rows() {
            return tables.values().stream().mapToLong(Long::longValue).sum()
                    + sealed.stream().mapToLong(SealedFile::rows).sum();
        }
    }

    /**
     * A sealed file.
     *
     * @param name below the directory of sealed files
     */
    record SealedFile(String name, long rows, long bytes) {}

    private Backup() {}

    // ---- making one

    /**
     * Copies a store while others read and write it. Nobody may seal or forget meanwhile.
     *
     * @param session of its own
     * @param sealed the store's sealed files
     * @param target where to; must not be there yet
     */
    static Copies make(Session session, Path sealed, Path target, Instant now, Told told)
            throws SQLException, IOException, StoreException {
        if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
            throw new StoreException(
                    "backup: " + target + " is there already (expected: a directory that is made now)");
        }
        Path partial = target.resolveSibling(target.getFileName() + PARTIAL);
        removeLeftOver(partial);
        try {
            Files.createDirectory(partial, PosixFilePermissions.asFileAttribute(OWNER_ONLY));
        } catch (NoSuchFileException e) {
            throw new StoreException("backup: " + target.getParent() + " is not there (expected: a directory)", e);
        }
        try {
            return fill(session, sealed, partial, target, now, told);
        } catch (SQLException | IOException | StoreException | RuntimeException e) {
            try {
                removeTree(partial); // half a copy must not keep the disk full
            } catch (IOException also) {
                e.addSuppressed(also);
            }
            throw e;
        }
    }

    private static Copies fill(Session session, Path sealed, Path partial, Path target, Instant now, Told told)
            throws SQLException, IOException, StoreException {
        Path database = partial.resolve(DATABASE);
        told.now("the database file", 0, 1);
        Contents contents = copyDatabase(session, database, now);
        long all = contents.bytes();
        long done = contents.databaseBytes();
        boolean linked = false;
        for (SealedFile file : contents.sealed()) {
            told.now(file.name(), done, all);
            Path copy = partial.resolve(SEALED).resolve(file.name());
            linked = linkOrCopy(sealed.resolve(file.name()), copy);
            if (Files.size(copy) != file.bytes()) {
                throw new StoreException("backup: " + copy + ": " + Files.size(copy) + " bytes (expected: "
                        + file.bytes() + "); the store's own file is damaged");
            }
            done += file.bytes();
        }
        Files.writeString(
                partial.resolve(LIST), JSON.writerWithDefaultPrettyPrinter().writeValueAsString(contents) + "\n");
        sync(partial.resolve(LIST));
        sync(partial);
        Files.move(partial, target, StandardCopyOption.ATOMIC_MOVE);
        sync(target.resolveSibling(""));
        List<String> lines = new ArrayList<>();
        if (linked) {
            lines.add(
                    "Sealed files have a second name there and share the store's disk; copy the backup to another one.");
        }
        return new Copies(contents.sealed().size() + 1L, contents.rows(), all, lines);
    }

    private static Contents copyDatabase(Session session, Path database, Instant now) throws SQLException, IOException {
        String own = session.query("SELECT current_database()", Cells::text).get(0);
        session.execute("ATTACH " + Sources.literal(database) + " AS backup_copy");
        try {
            // one statement, so it copies what one transaction sees
            session.execute("COPY FROM DATABASE \"" + own.replace("\"", "\"\"") + "\" TO backup_copy");
            session.execute("CHECKPOINT backup_copy");
            Map<String, Long> tables = new TreeMap<>();
            for (String table : session.query(
                    "SELECT table_name FROM duckdb_tables() WHERE database_name = 'backup_copy' AND NOT temporary",
                    Cells::text)) {
                tables.put(
                        table,
                        session.query("SELECT count(*) FROM backup_copy.main." + table, Cells::number)
                                .get(0));
            }
            List<SealedFile> sealed = session.query(
                    "SELECT name, row_count, bytes FROM backup_copy.main.sealed_file ORDER BY name",
                    cells -> new SealedFile(cells.text(), cells.number(), cells.number()));
            int schema = session
                    .query("SELECT value FROM backup_copy.main.meta WHERE name = 'schema_version'", Cells::text)
                    .stream()
                    .mapToInt(Integer::parseInt)
                    .findFirst()
                    .orElse(0);
            session.execute("DETACH backup_copy");
            sync(database);
            Files.setPosixFilePermissions(database, PosixFilePermissions.fromString("rw-------"));
            return new Contents(1, schema, now.toString(), Files.size(database), tables, sealed);
        } catch (SQLException e) {
            try {
                session.execute("DETACH DATABASE IF EXISTS backup_copy");
            } catch (SQLException also) {
                e.addSuppressed(also);
            }
            throw e;
        }
    }

    /** What an earlier call left when it was killed; anything else is nobody's to remove. */
    private static void removeLeftOver(Path partial) throws IOException, StoreException {
        if (!Files.exists(partial, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        try (Stream<Path> inside = Files.list(partial)) {
            if (inside.map(path -> path.getFileName().toString())
                    .anyMatch(name -> !name.startsWith(DATABASE) && !name.equals(SEALED) && !name.equals(LIST))) {
                throw new StoreException("backup: " + partial + " is there and is no backup (expected: nothing)");
            }
        }
        removeTree(partial);
    }

    static void removeTree(Path tree) throws IOException {
        try (Stream<Path> all = Files.walk(tree)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        }
    }

    /** @return whether it has a second name now, and no space was taken */
    private static boolean linkOrCopy(Path from, Path to) throws IOException {
        Files.createDirectories(to.resolveSibling(""), PosixFilePermissions.asFileAttribute(OWNER_ONLY));
        try {
            Files.createLink(to, from);
            return true;
        } catch (FileAlreadyExistsException | NoSuchFileException e) {
            throw e;
        } catch (UnsupportedOperationException | FileSystemException expected) { // another file system, or one without
            Files.copy(from, to);
            sync(to);
            return false;
        }
    }

    private static void sync(Path path) throws IOException {
        boolean folder = Files.isDirectory(path);
        try (FileChannel channel =
                FileChannel.open(path, folder ? StandardOpenOption.READ : StandardOpenOption.WRITE)) {
            channel.force(true);
        }
    }

    // ---- looking into one, and making a store of it

    /**
     * What a backup says that it has.
     *
     * @throws StoreException if it is none, or something of it is missing or has another size
     */
    static Contents contents(Path backup) throws StoreException, IOException {
        Path list = backup.resolve(LIST);
        if (!Files.isRegularFile(list)) {
            throw new StoreException("restore: " + backup + " is no backup (expected: a directory with " + LIST
                    + ", as fairwatch-collector backup makes it)");
        }
        Contents contents;
        try {
            contents = JSON.readValue(list.toFile(), Contents.class);
        } catch (JsonProcessingException e) {
            throw new StoreException("restore: " + list + " cannot be read: " + e.getOriginalMessage(), e);
        }
        if (contents.fairwatchBackup() != 1 || contents.schema() > Schema.VERSION) {
            throw new StoreException("restore: " + backup + " was made by a newer collector (schema "
                    + contents.schema() + ", this one knows up to " + Schema.VERSION + ")");
        }
        List<String> wrong = new ArrayList<>();
        compare(backup.resolve(DATABASE), contents.databaseBytes(), wrong);
        for (SealedFile file : contents.sealed()) {
            Path path = backup.resolve(SEALED).resolve(file.name()).normalize();
            if (!path.startsWith(backup.resolve(SEALED))) {
                throw new StoreException("restore: " + list + ": " + file.name() + " (expected: below " + SEALED + ")");
            }
            compare(path, file.bytes(), wrong);
        }
        if (!wrong.isEmpty()) {
            throw new StoreException("restore: " + backup + " is not whole, " + wrong.size() + " of "
                    + (contents.sealed().size() + 1) + " files: " + wrong.get(0));
        }
        return contents;
    }

    private static void compare(Path file, long bytes, List<String> wrong) throws IOException {
        if (!Files.isRegularFile(file)) {
            wrong.add(file + " is missing");
        } else if (Files.size(file) != bytes) {
            wrong.add(file + ": " + Files.size(file) + " bytes (expected: " + bytes + ")");
        }
    }

    /**
     * Copies a backup to where a store is to be. Nobody may have that store open. The database comes last and all at once,
     * so that a store that is not whole is not opened.
     */
    static Copies restore(Path backup, Path store, Told told) throws StoreException, IOException {
        Contents contents = contents(backup);
        Path restoring = store.resolve(RESTORING);
        boolean again = Files.exists(restoring); // one did not come to its end
        for (String part : List.of(DATABASE, DATABASE + ".wal", SEALED)) {
            if (Files.exists(store.resolve(part)) && !(again && part.equals(SEALED))) {
                throw new StoreException("restore: " + store + " holds "
                        + (part.equals(DATABASE) ? "a store" : part + " of a store")
                        + " (expected: none there; move all of it away, or name another directory)");
            }
        }
        if (again) {
            if (Files.exists(store.resolve(SEALED))) {
                removeTree(store.resolve(SEALED));
            }
            Files.delete(restoring);
        }
        Files.createFile(restoring, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        long all = contents.bytes();
        long done = 0;
        for (SealedFile file : contents.sealed()) {
            told.now(file.name(), done, all);
            linkOrCopy(
                    backup.resolve(SEALED).resolve(file.name()),
                    store.resolve(SEALED).resolve(file.name()));
            done += file.bytes();
        }
        told.now("the database file", done, all);
        Files.copy(backup.resolve(DATABASE), restoring, StandardCopyOption.REPLACE_EXISTING);
        sync(restoring);
        Files.move(restoring, store.resolve(DATABASE), StandardCopyOption.ATOMIC_MOVE);
        sync(store);
        return new Copies(
                contents.sealed().size() + 1L,
                contents.rows(),
                all,
                List.of("As it was at " + contents.madeAt() + "."));
    }

    /** Compares what a store has with what its backup says, row by row of each table and file. */
    static void check(Session session, Path sealed, Contents contents, Told told) throws SQLException, StoreException {
        for (Map.Entry<String, Long> table : contents.tables().entrySet()) {
            long rows = session.query("SELECT count(*) FROM " + Sources.name(table.getKey()), Cells::number)
                    .get(0);
            if (rows != table.getValue()) {
                throw new StoreException("restore: table " + table.getKey() + ": " + rows + " rows (expected: "
                        + table.getValue() + ")");
            }
        }
        long done = 0;
        for (SealedFile file : contents.sealed()) {
            told.now("checking " + file.name(), done, contents.bytes());
            long rows = session.query(
                            "SELECT CAST(num_rows AS BIGINT) FROM parquet_file_metadata("
                                    + Sources.literal(sealed.resolve(file.name())) + ")",
                            Cells::number)
                    .get(0);
            if (rows != file.rows()) {
                throw new StoreException(
                        "restore: " + file.name() + ": " + rows + " rows (expected: " + file.rows() + ")");
            }
            done += file.bytes();
        }
    }
}
