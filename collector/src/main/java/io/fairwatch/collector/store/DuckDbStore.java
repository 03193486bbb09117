package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.Subject;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Properties;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.duckdb.DuckDBConnection;
import org.duckdb.DuckDBDriver;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Everything in one DuckDB file. Thread-safe: writers take turns in one session, and each reader has its own for the
 * length of one call, with autocommit on so that it holds no old state.
 *
 * <p>The directory belongs to the store, with the journal of what is on its way into it, and to its owner alone. One process may open it at a time. Times are kept
 * to the millisecond; NUL and half surrogate pairs in texts become U+FFFD.
 *
 * <p>When the database fails for good, e.g. because the disk is full, the call says so and nothing of it is kept; the
 * next call opens the database anew, so that the store recovers by itself once there is space.
 */
public final class DuckDbStore implements Store {
    private static final Logger LOG = LoggerFactory.getLogger(DuckDbStore.class);
    private static final String FILE = "fairwatch.duckdb";
    private static final int MOST_THREADS = 4;
    private static final Duration LONGEST_UPKEEP = Duration.ofHours(1);
    private static final Set<PosixFilePermission> OWNER_ONLY_DIRECTORY = PosixFilePermissions.fromString("rwx------");
    private static final Set<PosixFilePermission> OWNER_ONLY_FILE = PosixFilePermissions.fromString("rw-------");

    /**
     * What the database may use. Immutable.
     *
     * @param threads threads of the database itself; one is enough below about 2,000 nodes
     * @param memoryLimitMib memory of the database, outside the Java heap, in MiB
     * @param checkpointMib size of the log in MiB at which it is folded into the file
     * @param queryTimeout how long one query may take
     * @param keep how long readings are kept
     * @param busyAboveRatio a GPU is called busy above this in roll-ups
     * @param leastFreeMib free space in MiB below which nothing is taken, so that there is some left to seal and forget
     */
    public record Settings(
            int threads,
            int memoryLimitMib,
            int checkpointMib,
            Duration queryTimeout,
            Keep keep,
            double busyAboveRatio,
            int leastFreeMib) {
        public static final Settings DEFAULTS = new Settings(1, 512, 128, Duration.ofSeconds(60));

        public Settings(int threads, int memoryLimitMib, int checkpointMib, Duration queryTimeout) {
            this(threads, memoryLimitMib, checkpointMib, queryTimeout, Keep.DEFAULTS, 0.01, 64);
        }

        public Settings {
            atLeast("leastFreeMib", leastFreeMib, 0);
            atLeast("threads", threads, 1);
            atLeast("memoryLimitMib", memoryLimitMib, 64);
            atLeast("checkpointMib", checkpointMib, 1);
            if (queryTimeout.compareTo(Duration.ofSeconds(1)) < 0) {
                throw new IllegalArgumentException("queryTimeout: " + queryTimeout + " (expected: one second or more)");
            }
        }

        private static void atLeast(String what, int value, int least) {
            if (value < least) {
                throw new IllegalArgumentException(what + ": " + value + " (expected: " + least + " or more)");
            }
        }
    }

    private interface Use<T> {
        T with(Database open) throws StoreException;
    }

    private interface Reading<T> {
        T read(Session session, Sources sources) throws SQLException;
    }

    private interface RowReading<T> {
        T read(Session session) throws SQLException;
    }

    private interface Writing<T> {
        T write(Session session, Received received, Inventory inventory) throws SQLException, StoreException;
    }

    /** What lives now, after a number of changes. */
    private static final class Now {
        private final long change;
        private final RunTables.Live live;
        private @Nullable Map<Long, List<Run>> alone;

        Now(long change, RunTables.Live live) {
            this.change = change;
            this.live = live;
        }

        /** Made once it is asked for, and never while others wait to write. */
        synchronized Map<Long, List<Run>> alone() {
            if (alone == null) {
                alone = live.alone();
            }
            return alone;
        }
    }

    /** An open database. Confined to whoever holds the lock. */
    private record Database(
            DuckDBConnection root, Session writer, Received received, Inventory inventory, Deque<Session> readers)
            implements AutoCloseable {
        @Override
        public void close() throws SQLException {
            try {
                for (Session reader = readers.poll(); reader != null; reader = readers.poll()) {
                    reader.close();
                }
                writer.close();
            } finally {
                root.close();
            }
        }
    }

    private final Path directory;
    private final Path sealed;
    private final Settings settings;
    private final FileChannel lockFile;
    private final Sealer sealer;

    /** Held by whoever seals, forgets or copies files. */
    private final ReentrantLock upkeep = new ReentrantLock();

    /** Where rows lie, as the newest transaction that asked has seen it. */
    private volatile Sources sources = Sources.NONE;

    /** Whether the store is about to be closed: nothing long is begun any more. */
    private volatile boolean closing;

    /** Whether what came late before this process began was sealed. Held by {@code upkeep}. */
    private boolean sealedSinceOpened;

    private final ReentrantReadWriteLock life = new ReentrantReadWriteLock();
    private final ReentrantLock turn = new ReentrantLock(true);

    /** Held by whoever uses more threads of the database than usual. */
    private final ReentrantLock wide = new ReentrantLock(true);

    /** Absent once the store is closed. Written under the write lock of {@code life}. */
    private volatile @Nullable Database database;

    /** What lives now, good as long as nothing has changed since. */
    private volatile @Nullable Now now;

    private final AtomicLong changes = new AtomicLong();

    /** Whether the database must be opened anew before it is used again. */
    private volatile boolean broken;

    /** Why the newest write failed; absent when it did not. */
    private volatile @Nullable String unwritten;

    private DuckDbStore(Path directory, Settings settings, FileChannel lockFile, Sealer.Fault fault) {
        this.directory = directory;
        this.sealed = directory.resolve("sealed");
        this.settings = settings;
        this.lockFile = lockFile;
        this.sealer = new Sealer(
                sealed,
                settings.keep(),
                settings.busyAboveRatio(),
                settings.queryTimeout().multipliedBy(2),
                fault);
    }

    /**
     * Opens the store in a directory, which is made if it is missing.
     *
     * @throws StoreException if another process has it open, it is not readable, or a newer version wrote it
     */
    public static DuckDbStore open(Path directory, Settings settings) throws StoreException {
        return open(directory, settings, Sealer.Fault.NONE);
    }

    /** As {@link #open(Path, Settings)}, with faults that a test wants. */
    static DuckDbStore open(Path directory, Settings settings, Sealer.Fault fault) throws StoreException {
        FileChannel lockFile = lock(directory);
        DuckDbStore store = new DuckDbStore(directory, settings, lockFile, fault);
        try {
            store.database = store.openDatabase();
            return store;
        } catch (SQLException e) {
            store.unlock();
            throw store.failure("open", e);
        } catch (StoreException e) {
            store.unlock();
            throw e;
        }
    }

    private static FileChannel lock(Path directory) throws StoreException {
        try {
            Files.createDirectories(directory, PosixFilePermissions.asFileAttribute(OWNER_ONLY_DIRECTORY));
            Files.setPosixFilePermissions(directory, OWNER_ONLY_DIRECTORY);
            FileChannel channel = FileChannel.open(
                    directory.resolve("lock"),
                    Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE),
                    PosixFilePermissions.asFileAttribute(OWNER_ONLY_FILE));
            try {
                FileLock lock = channel.tryLock();
                if (lock != null) {
                    return channel;
                }
            } catch (OverlappingFileLockException expected) {
                // held by this very process: the same answer as for any other
            }
            channel.close();
        } catch (IOException e) {
            throw new StoreException("store: " + directory + " cannot be used: " + e, e);
        }
        throw inUse(directory);
    }

    private static StoreException inUse(Path directory) {
        return new StoreException("store: " + directory + " is in use by another collector; only one may open it");
    }

    private Database openDatabase() throws SQLException, StoreException {
        Properties options = new Properties();
        options.setProperty("threads", Integer.toString(settings.threads()));
        options.setProperty("memory_limit", settings.memoryLimitMib() + "MiB");
        options.setProperty("checkpoint_threshold", settings.checkpointMib() + "MiB");
        // what was needed for a moment goes back to the system: 100 MiB and more are kept otherwise
        options.setProperty("allocator_background_threads", "true");
        options.setProperty("allocator_flush_threshold", "16MiB");
        // never ask the network for anything
        options.setProperty("autoinstall_known_extensions", "false");
        options.setProperty("autoload_known_extensions", "false");
        if (Files.exists(directory.resolve(Backup.RESTORING))) {
            throw new StoreException("store: " + directory
                    + ": a restore did not come to its end (expected: it is called again, or the directory is empty)");
        }
        Path file = directory.resolve(FILE);
        DuckDBConnection root =
                new DuckDBDriver().connect("jdbc:duckdb:" + file, options).unwrap(DuckDBConnection.class);
        try {
            Session writer = session(root);
            // sealed files never change: what their ends say need not be read again
            writer.execute("SET GLOBAL parquet_metadata_cache = true");
            try (Session unhurried =
                    session(root, Duration.ZERO)) { // a large store's rows are not made anew in a minute
                Schema.prepare(unhurried);
            }
            Files.setPosixFilePermissions(file, OWNER_ONLY_FILE);
            sealer.sweep(writer, true);
            sources = Sources.load(writer, sealed, settings.busyAboveRatio(), this::device);
            return new Database(
                    root, writer, Received.load(writer), Inventory.load(writer), new ConcurrentLinkedDeque<>());
        } catch (SQLException | StoreException | RuntimeException e) {
            root.close();
            throw e;
        } catch (IOException e) {
            root.close();
            throw new StoreException("store: " + directory + " cannot be used: " + e, e);
        }
    }

    private @Nullable GpuDevice device(String uuid) {
        Database open = database;
        return open == null ? null : open.inventory().device(uuid);
    }

    private Session session(DuckDBConnection root) throws SQLException {
        return session(root, settings.queryTimeout());
    }

    private static Session session(DuckDBConnection root, Duration timeout) throws SQLException {
        synchronized (root) {
            return new Session(root.duplicate(), timeout);
        }
    }

    // ---- readings

    @Override
    public int append(Collection<NodeSnapshot> snapshots) throws StoreException {
        return appendAll(List.of(List.copyOf(snapshots))).get(0);
    }

    @Override
    public List<Integer> appendAll(List<List<NodeSnapshot>> batches) throws StoreException {
        requireSpace();
        return write("append", (session, received, inventory) -> {
            List<NodeSnapshot> fresh = new ArrayList<>();
            List<Integer> stored = new ArrayList<>(batches.size());
            for (List<NodeSnapshot> batch : batches) {
                int before = fresh.size();
                batch.stream().filter(received::add).forEach(fresh::add);
                stored.add(fresh.size() - before);
            }
            if (!fresh.isEmpty()) {
                SnapshotTables.append(session, inventory, fresh);
                received.write(session);
            }
            return stored;
        });
    }

    @Override
    public List<NodeState> nodes() throws StoreException {
        return use("nodes", open -> open.inventory().nodes());
    }

    @Override
    public List<NodeState> nodes(Collection<String> names) throws StoreException {
        return use("nodes", open -> open.inventory().nodes(names));
    }

    @Override
    public List<AgentLoss> agentLosses(Instant from, Instant to) throws StoreException {
        return read("agentLosses", (session, sources) -> SnapshotTables.agentLosses(session, sources, from, to));
    }

    @Override
    public List<GpuSeen> gpus() throws StoreException {
        return use("gpus", open -> open.inventory().gpus());
    }

    @Override
    public List<GpuReadingAt> newestReadings(Collection<String> uuids, Instant at) throws StoreException {
        return read(
                "newestReadings",
                (session, where) -> SnapshotTables.newestReadings(session, where, Set.copyOf(uuids), at));
    }

    @Override
    public List<JobOnGpu> jobsOnGpus(Instant from, Instant to) throws StoreException {
        return read("jobsOnGpus", (session, where) -> SnapshotTables.jobsOnGpus(session, where, from, to));
    }

    @Override
    public List<JobOnGpu> gpusOpenToJobs(Instant from, Instant to) throws StoreException {
        List<GpuSeen> gpus = gpus();
        return read("gpusOpenToJobs", (session, where) -> LiveQueries.openToJobs(session, where, from, to, gpus));
    }

    @Override
    public void gpuMoments(Instant from, Instant to, Consumer<GpuMoment> each) throws StoreException {
        read("gpuMoments", (session, where) -> {
            LiveQueries.moments(session, where, from, to, each);
            return true;
        });
    }

    @Override
    public void readings(Collection<String> uuids, Instant from, Instant to, Consumer<PastReading> each)
            throws StoreException {
        read("readings", (session, where) -> {
            PastQueries.readings(session, where, uuids, from, to, each);
            return true;
        });
    }

    @Override
    public void cgroups(Collection<Long> jobIds, Instant from, Instant to, Consumer<PastCgroup> each)
            throws StoreException {
        read("cgroups", (session, where) -> {
            PastQueries.cgroups(session, where, jobIds, from, to, each);
            return true;
        });
    }

    @Override
    public List<GpuPast> gpuPast(Instant from, Instant to, double busyAboveRatio) throws StoreException {
        return read("gpuPast", (session, where) -> LiveQueries.past(session, where, from, to, busyAboveRatio));
    }

    // ---- Slurm

    @Override
    public void saveView(SlurmView view) throws StoreException {
        write("saveView", (session, received, inventory) -> {
            Now before = readNow(); // nobody else writes meanwhile
            return new Now(before.change, RunTables.saveView(session, view, before.live));
        });
        now().alone(); // rather than whoever looks up a job next
    }

    @Override
    public void saveRuns(Collection<Run> runs) throws StoreException {
        write("saveRuns", (session, received, inventory) -> {
            Now before = readNow();
            return new Now(before.change, RunTables.saveRuns(session, runs, before.live));
        });
        now().alone();
    }

    @Override
    public Optional<SlurmView> view() throws StoreException {
        return now().live.view();
    }

    /** Everybody asks for it all the time, and it changes only with Slurm's answers. */
    private Now now() throws StoreException {
        Now known = now;
        return known != null && known.change == changes.get() ? known : readNow();
    }

    private synchronized Now readNow() throws StoreException {
        Now known = now;
        if (known == null || known.change != changes.get()) {
            known = readNow(changes.get());
            now = known;
        }
        return known;
    }

    private Now readNow(long change) throws StoreException {
        return read("now", (session, where) -> new Now(change, RunTables.live(session)));
    }

    /** Lets those who ask next have what was just written. */
    private synchronized void renew(Now written) {
        if (changes.compareAndSet(written.change, written.change + 1)) {
            now = new Now(written.change + 1, written.live);
        } else {
            changes.incrementAndGet(); // the database was opened anew meanwhile: what was is good for nobody any more
        }
    }

    @Override
    public List<Run> liveRuns() throws StoreException {
        return now().live.runs();
    }

    @Override
    public List<Run> runsOf(long jobId) throws StoreException {
        List<Run> alone = now().alone().get(jobId);
        if (alone != null) {
            return alone;
        }
        return readRows("runsOf", session -> {
            session.begin(); // a run and its GPUs as they were at one time
            List<Run> runs = RunTables.runsOf(session, jobId);
            session.rollback();
            return runs;
        });
    }

    @Override
    public List<HeldSums> heldWithin(Instant from, Instant to) throws StoreException {
        return read("heldWithin", (session, where) -> RunTables.heldWithin(session, from, to));
    }

    @Override
    public List<Run> runsWithin(Instant from, Instant to, String account, String user, int most) throws StoreException {
        return read("runsWithin", (session, where) -> RunTables.runsWithin(session, from, to, account, user, most));
    }

    @Override
    public List<Run> runsWithin(Instant from, Instant to) throws StoreException {
        // first those that live, which are in memory: who ends meanwhile is found among the ended, too, and counts
        // there
        Map<RunKey, Run> within = new LinkedHashMap<>();
        for (Run run : liveRuns()) {
            if (run.key().start().isBefore(to)) {
                within.put(run.key(), run);
            }
        }
        List<Run> ended = read("runsWithin", (session, where) -> RunTables.endedWithin(session, from, to));
        if (ended.isEmpty()) {
            return List.copyOf(within.values());
        }
        ended.forEach(run -> within.put(run.key(), run));
        return within.values().stream()
                .sorted(Comparator.comparing((Run run) -> run.key().start())
                        .thenComparingLong(run -> run.key().jobId()))
                .toList();
    }

    @Override
    public List<Run> runs(RunQuery query) throws StoreException {
        return read("runs", (session, where) -> RunTables.ended(session, query));
    }

    @Override
    public Optional<Instant> accountingUntil() throws StoreException {
        return read("accountingUntil", (session, where) -> RunTables.accountingUntil(session));
    }

    @Override
    public void saveAccountingUntil(Instant until) throws StoreException {
        write("saveAccountingUntil", (session, received, inventory) -> {
            RunTables.saveAccountingUntil(session, until);
            return true;
        });
    }

    @Override
    public Optional<Instant> accountingFrom() throws StoreException {
        return read("accountingFrom", (session, where) -> RunTables.accountingFrom(session));
    }

    @Override
    public void saveAccountingFrom(Instant from) throws StoreException {
        write("saveAccountingFrom", (session, received, inventory) -> {
            RunTables.saveAccountingFrom(session, from);
            return true;
        });
    }

    @Override
    public void saveAccounts(AccountTree tree) throws StoreException {
        write("saveAccounts", (session, received, inventory) -> {
            AccountTables.save(session, tree);
            return true;
        });
    }

    @Override
    public Optional<AccountTree> accounts() throws StoreException {
        return read("accounts", (session, where) -> AccountTables.tree(session));
    }

    // ---- allocated and used, joined

    @Override
    public List<GpuUse> gpuUse(Collection<RunSpan> spans, double busyAboveRatio, boolean energy) throws StoreException {
        return read(
                "gpuUse",
                (session, where) -> UseQueries.gpuUse(session, where, List.copyOf(spans), busyAboveRatio, energy));
    }

    @Override
    public List<JobUse> jobUse(Collection<RunSpan> spans) throws StoreException {
        return read("jobUse", (session, where) -> UseQueries.jobUse(session, where, List.copyOf(spans)));
    }

    @Override
    public Map<RunKey, Integer> gpusTogether(Collection<RunSpan> spans, double busyAboveRatio) throws StoreException {
        return read(
                "gpusTogether",
                (session, where) -> UseQueries.gpusTogether(session, where, List.copyOf(spans), busyAboveRatio));
    }

    @Override
    public List<GpuSlot> gpuSlots(List<RunSpan> spans, Instant from, Instant to, double busyAboveRatio, boolean detail)
            throws StoreException {
        return read(
                "gpuSlots",
                (session, where) -> SlotQueries.slots(session, where, spans, from, to, busyAboveRatio, detail));
    }

    @Override
    public List<JobSlot> jobSlots(List<RunSpan> spans, Instant from, Instant to) throws StoreException {
        return read("jobSlots", (session, where) -> SlotQueries.jobs(session, where, spans, from, to));
    }

    // ---- a whole period

    @Override
    public PeriodFacts period(PeriodQuestion question) throws StoreException {
        return readWide("period", (session, where) -> PeriodQueries.facts(session, where, question));
    }

    @Override
    public byte[] periodRuns(PeriodQuestion question, UnaryOperator<String> shown) throws StoreException {
        Path file = directory.resolve("runs-" + UUID.randomUUID() + ".parquet");
        try {
            readWide("periodRuns", (session, where) -> {
                PeriodQueries.copyRuns(session, where, question, shown, file);
                return true;
            });
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new StoreException("store: " + file + " cannot be read: " + e, e);
        } finally {
            try {
                Files.deleteIfExists(file);
            } catch (IOException e) {
                LOG.warn("a file is left behind path={}", file, e);
            }
        }
    }

    @Override
    public List<PeriodFacts.Group> periodGroups(PeriodQuestion question) throws StoreException {
        return readWide("periodGroups", (session, where) -> PeriodQueries.groups(session, where, question));
    }

    @Override
    public List<GpuSeries> gpuSeries(RunSpan span, Slots slots) throws StoreException {
        return read("gpuSeries", (session, where) -> SeriesQueries.ofRun(session, where, span, slots));
    }

    @Override
    public Map<RunSpan, Map<String, List<OptionalDouble>>> gpuMeans(Map<RunSpan, Slots> asked) throws StoreException {
        return read("gpuMeans", (session, where) -> SeriesQueries.means(session, where, asked));
    }

    @Override
    public List<GpuSeries> gpuSeries(Collection<String> uuids, Slots slots) throws StoreException {
        return read("gpuSeries", (session, where) -> SeriesQueries.ofGpus(session, where, Set.copyOf(uuids), slots));
    }

    @Override
    public List<JobSeries> jobSeries(RunSpan span, Slots slots) throws StoreException {
        return read("jobSeries", (session, where) -> SeriesQueries.ofJob(session, where, span, slots));
    }

    @Override
    public List<Run> runsToSummarize(int most) throws StoreException {
        return read("runsToSummarize", (session, where) -> SummaryTables.due(session, most));
    }

    @Override
    public void saveSummaries(Collection<RunSummary> summaries) throws StoreException {
        write("saveSummaries", (session, received, inventory) -> {
            SummaryTables.save(session, summaries);
            return true;
        });
    }

    @Override
    public List<RunSummary> summaries(Collection<RunKey> runs) throws StoreException {
        return read("summaries", (session, where) -> SummaryTables.of(session, where, runs));
    }

    // ---- upkeep

    @Override
    public void maintain(Instant now) throws StoreException {
        inUpkeep("maintain", session -> {
            maintain(session, now);
            return true;
        });
    }

    /** Seals what ends at or before an instant, whatever is due; for tests. */
    void seal(Instant until) throws StoreException {
        inUpkeep("seal", session -> {
            sealer.seal(session, until.toEpochMilli(), () -> true);
            return true;
        });
    }

    /**
     * Copies everything into a new directory, while others read and write. Sealing waits meanwhile.
     *
     * @param target must not be there yet; it has another name until the copy is whole
     * @return what is there now
     */
    public Copies backup(Path target, Instant now, Copies.Told told) throws StoreException {
        return inUpkeep("backup", session -> Backup.make(session, sealed, target, now, told));
    }

    /** Writes tables into files for other programs, while others read and write. Sealing waits meanwhile. */
    public Copies export(Export what, Path target, Copies.Told told) throws StoreException {
        return inUpkeep("export", session -> {
            session.begin(); // so that all tables are as of the same instant
            try {
                return what.write(session, sealed, Sources.load(session, sealed, sources), target, told);
            } finally {
                session.rollback();
            }
        });
    }

    /**
     * Makes a store of a backup, and counts every row of it.
     *
     * @param directory where the store is to be; holds none yet
     */
    public static Copies restore(Path backup, Path directory, Settings settings, Copies.Told told)
            throws StoreException {
        Copies made;
        FileChannel held = lock(directory);
        try {
            made = Backup.restore(backup, directory, told);
        } catch (IOException e) {
            throw new StoreException("restore: " + backup + " to " + directory + ": " + e, e);
        } finally {
            unlock(held, directory);
        }
        try (DuckDbStore store = open(directory, settings)) {
            Backup.Contents contents = Backup.contents(backup);
            store.inUpkeep("restore", session -> {
                if (contents.schema() == Schema.VERSION) {
                    Backup.check(session, store.sealed, contents, told);
                }
                return true;
            });
            return made;
        } catch (IOException e) {
            throw new StoreException("restore: " + backup + ": " + e, e);
        }
    }

    private interface Upkeep<T> {
        T with(Session session) throws SQLException, IOException, StoreException;
    }

    private <T> T inUpkeep(String what, Upkeep<T> work) throws StoreException {
        upkeep.lock();
        try {
            return use(what, open -> {
                try (Session session = session(open.root(), LONGEST_UPKEEP)) {
                    return work.with(session);
                } catch (SQLException e) {
                    if (isInvalidated(e)) {
                        broken = true;
                    }
                    throw failure(what, e);
                } catch (IOException e) {
                    throw new StoreException("store: " + what + ": " + e, e);
                }
            });
        } finally {
            upkeep.unlock();
        }
    }

    private void maintain(Session session, Instant now) throws SQLException, IOException, StoreException {
        long untilMs = Sealer.dueUntilMs(now);
        long sealedUntilMs = Sources.load(session, sealed, sources).sealedUntilMs();
        if (untilMs > sealedUntilMs || !sealedSinceOpened) {
            sealer.forget(session, now); // first, because it makes room
            sealer.seal(session, untilMs, () -> !closing);
            if (!closing) {
                sealedSinceOpened = true;
                write("maintain", (writer, received, inventory) -> {
                    inventory.flush(writer);
                    RunTables.saveValue(writer, Sources.SEALED_UNTIL, Long.toString(Math.max(untilMs, sealedUntilMs)));
                    Sealer.nextGeneration(writer);
                    return true;
                });
            }
        }
        sealer.sweep(session, false);
    }

    @Override
    public List<GpuOutside> gpusOutsideJobs(Instant from, Instant to) throws StoreException {
        return read("gpusOutsideJobs", (session, where) -> SlotQueries.outside(session, from, to));
    }

    // ---- findings and notices

    @Override
    public Optional<Instant> mark(String name) throws StoreException {
        return read("mark", (session, where) -> RunTables.mark(session, name));
    }

    @Override
    public void saveMark(String name, Instant at) throws StoreException {
        write("saveMark", (session, received, inventory) -> {
            RunTables.saveMark(session, name, at);
            return true;
        });
    }

    @Override
    public List<FindingRow> openFindings() throws StoreException {
        return read("openFindings", (session, where) -> FindingTables.open(session));
    }

    @Override
    public List<FindingRow> findingsOf(long jobId) throws StoreException {
        return readRows("findingsOf", session -> FindingTables.of(session, jobId));
    }

    @Override
    public Optional<FindingRow> finding(Subject subject, String rule, Instant since) throws StoreException {
        return read("finding", (session, where) -> FindingTables.one(session, subject, rule, since));
    }

    @Override
    public List<Notice> noticesOf(long jobId) throws StoreException {
        return read("noticesOf", (session, where) -> FindingTables.noticesOf(session, jobId));
    }

    @Override
    public List<Notice> noticesIn(Collection<Notice.State> states) throws StoreException {
        return read("noticesIn", (session, where) -> FindingTables.noticesIn(session, states));
    }

    @Override
    public List<Notice> noticesIn(Collection<Notice.State> states, Instant changedAfter) throws StoreException {
        return read("noticesIn", (session, where) -> FindingTables.noticesIn(session, states, changedAfter));
    }

    @Override
    public void saveDecisions(Decisions decisions) throws StoreException {
        write("saveDecisions", (session, received, inventory) -> {
            FindingTables.save(session, decisions.findings(), decisions.notices());
            AuditTables.saveExemptions(session, decisions.exemptions());
            AuditTables.append(session, decisions.audit());
            return true;
        });
    }

    @Override
    public void saveBounces(Collection<Bounce> bounces) throws StoreException {
        write("saveBounces", (session, received, inventory) -> {
            BounceTables.save(session, bounces);
            return true;
        });
    }

    @Override
    public List<Bounce> bounces(Instant after) throws StoreException {
        return read("bounces", (session, where) -> BounceTables.after(session, after));
    }

    @Override
    public List<Exemption> exemptions(Instant now) throws StoreException {
        return read("exemptions", (session, where) -> AuditTables.exemptions(session, now));
    }

    @Override
    public List<AuditEntry> audit(AuditFilter filter) throws StoreException {
        return read("audit", (session, where) -> AuditTables.audit(session, filter));
    }

    // ---- sessions and transactions

    /** Refuses readings before the disk is full: then hours can still be sealed and days forgotten, and space comes back. */
    private void requireSpace() throws StoreException {
        Optional<String> full = full();
        if (full.isPresent()) {
            throw new StoreException(full.get());
        }
    }

    private Optional<String> full() {
        try {
            long free = Files.getFileStore(directory).getUsableSpace() >> 20;
            return free < settings.leastFreeMib()
                    ? Optional.of("store: " + directory + ": the disk is full: " + free + " MiB free (expected: "
                            + settings.leastFreeMib() + " MiB or more); no snapshot is taken until there is space")
                    : Optional.empty();
        } catch (IOException e) {
            return Optional.of("store: " + directory + " cannot be used: " + e);
        }
    }

    /**
     * As {@link #read}, with as many threads of the database as the machine has cores, up to four: a report is wanted now and
     * reads everything. What arrives meanwhile is written by threads of its own. One at a time.
     */
    private <T> T readWide(String what, Reading<T> reading) throws StoreException {
        wide.lock();
        try {
            threads(Math.max(
                    settings.threads(),
                    Math.min(MOST_THREADS, Runtime.getRuntime().availableProcessors())));
            try {
                return read(what, reading);
            } finally {
                threads(settings.threads());
            }
        } finally {
            wide.unlock();
        }
    }

    private void threads(int number) throws StoreException {
        use("threads", open -> {
            try (Session session = session(open.root())) {
                session.execute("SET GLOBAL threads = " + number);
                return true;
            } catch (SQLException e) {
                throw failure("threads", e);
            }
        });
    }

    /** Why snapshots are not taken now, a sentence; empty when they are. */
    public Optional<String> trouble() {
        return full().or(() -> Optional.ofNullable(unwritten).map(why -> "The store could not write lately: " + why));
    }

    private <T> T read(String what, Reading<T> reading) throws StoreException {
        return readRows(what, session -> {
            // one transaction, so that all queries of one call see the same state; nothing of it is kept
            session.begin();
            Sources where = Sources.load(session, sealed, sources);
            sources = where;
            T answer = reading.read(session, where);
            session.rollback();
            return answer;
        });
    }

    /** A question about tables alone that are never sealed: one query, or its own transaction, ended if all goes well. */
    private <T> T readRows(String what, RowReading<T> reading) throws StoreException {
        return use(what, open -> {
            try {
                Session session = open.readers().poll();
                boolean whole = false;
                if (session == null) {
                    session = session(open.root());
                }
                try {
                    T answer = reading.read(session);
                    whole = true;
                    return answer;
                } finally {
                    if (whole) {
                        open.readers().push(session); // with its statements, prepared
                    } else {
                        session.close();
                    }
                }
            } catch (SQLException e) {
                if (isInvalidated(e)) {
                    broken = true;
                }
                throw failure(what, e);
            }
        });
    }

    /** Whether DuckDB says that it will answer no more until it is opened anew. It has no code for that. */
    private static boolean isInvalidated(SQLException e) {
        String message = String.valueOf(e.getMessage()).toLowerCase(Locale.ROOT);
        return message.contains("has been invalidated") || message.startsWith("fatal error");
    }

    private <T> T write(String what, Writing<T> writing) throws StoreException {
        return use(what, open -> {
            turn.lock();
            try {
                if (broken) {
                    throw new StoreException("store: " + what + ": the write before this one failed; try again");
                }
                T result = transaction(open, writing);
                unwritten = null;
                return result;
            } catch (SQLException e) {
                LOG.warn("store could not write what={} directory={}", what, directory, e);
                StoreException failure = failure(what, e);
                unwritten = failure.getMessage();
                throw failure;
            } finally {
                turn.unlock();
            }
        });
    }

    private <T> T transaction(Database open, Writing<T> writing) throws SQLException, StoreException {
        boolean committed = false;
        open.writer().begin();
        try {
            T result = writing.write(open.writer(), open.received(), open.inventory());
            open.writer().commit();
            committed = true;
            open.inventory().committed();
            if (result instanceof Now written) {
                renew(written); // before anybody else writes
            }
            return result;
        } finally {
            if (!committed) {
                broken = true; // whether it was committed is not certain: look again at what the file says
                rollBack(open.writer());
            }
        }
    }

    private static void rollBack(Session session) {
        try {
            session.rollback();
        } catch (SQLException e) {
            LOG.debug("nothing to roll back", e); // a failed commit has done so already
        }
    }

    private <T> T use(String what, Use<T> use) throws StoreException {
        if (broken && life.getReadHoldCount() == 0) { // within another use, reopening would wait for ourselves
            reopen(what);
        }
        life.readLock().lock();
        try {
            Database open = database;
            if (open == null) {
                throw new StoreException("store: " + what + ": the store is closed");
            }
            return use.with(open);
        } finally {
            life.readLock().unlock();
        }
    }

    /** Waits until nobody uses the failed database, closes it and opens it anew. */
    private void reopen(String what) throws StoreException {
        life.writeLock().lock();
        try {
            Database failed = database;
            if (broken && failed != null) {
                closeQuietly(failed);
                database = openDatabase();
                changes.incrementAndGet(); // a write that failed may have become durable
                broken = false;
                LOG.info("store opened again directory={}", directory);
            }
        } catch (SQLException e) {
            throw failure(what, e);
        } finally {
            life.writeLock().unlock();
        }
    }

    private StoreException failure(String what, SQLException e) {
        String reason = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
        if (reason.contains("Could not set lock on file")) {
            return inUse(directory); // our own lock is lost when anybody in this process closes the lock file again
        }
        return new StoreException("store: " + directory + ": " + what + ": " + reason, e);
    }

    @Override
    public void close() throws StoreException {
        closing = true;
        life.writeLock().lock();
        try {
            Database open = database;
            database = null;
            if (open == null) {
                return;
            }
            try (open) {
                open.writer().begin();
                open.inventory().flush(open.writer());
                open.writer().commit();
                open.writer().execute("CHECKPOINT"); // so that the next start has no log to replay
            } catch (SQLException e) {
                throw failure("close", e);
            } finally {
                unlock();
            }
        } finally {
            life.writeLock().unlock();
        }
    }

    private void closeQuietly(Database failed) {
        try {
            failed.close();
        } catch (SQLException e) {
            LOG.debug("failed database closed with an error directory={}", directory, e);
        }
    }

    private void unlock() {
        unlock(lockFile, directory);
    }

    private static void unlock(FileChannel lockFile, Path directory) {
        try {
            lockFile.close();
        } catch (IOException e) {
            LOG.debug("lock file closed with an error directory={}", directory, e);
        }
    }
}
