package io.fairwatch.collector.slurm;

import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the store's picture of Slurm up to date. Its three parts fail on their own: live jobs, nodes (the ones known last
 * are kept), and accounting of ended jobs. {@link #cycle} blocks and is made for a timer on a worker thread; it is
 * synchronised. {@link #status} may be called from any thread and never waits.
 */
public final class SlurmSync {
    private static final Logger LOG = LoggerFactory.getLogger(SlurmSync.class);

    /** One call of sacct never asks for more than this, so that catching up stays within the deadline. */
    private static final Duration MAX_WINDOW = Duration.ofDays(1);

    /** As many as fit easily into one command line; the newest go first. */
    private static final int MAX_VANISHED = 500;

    private final SlurmSettings settings;
    private final SlurmCommand command;
    private final Source source;
    private final Store store;
    private final UnaryOperator<List<Run>> translateGpus;
    private final InstantSource clock;

    private final PartState jobs = new PartState("jobs");
    private final PartState nodes = new PartState("nodes");
    private final PartState accounting = new PartState("accounting");
    private final PartState accounts = new PartState("accounts");
    private final PartState rightsState = new PartState("rights");
    private volatile Status status = new Status(Part.NEVER, Part.NEVER, Part.NEVER, Part.NEVER, List.of());
    private volatile boolean keepsAccounting = true;

    private @Nullable String cluster;
    private @Nullable SlurmConf conf;
    private @Nullable List<SlurmNode> lastNodes;
    private Instant lastCycle = Instant.MIN;
    private Instant accountingDue = Instant.MIN;
    private Instant vanishedDue = Instant.MIN;
    private Instant accountsDue = Instant.MIN;
    private List<String> rights = List.of();

    /**
     * Ended runs as accounting told them. Accounting knows more (who cancelled, the sum of suspensions), so what squeue
     * still remembers of them must not overwrite it. Kept while squeue remembers them.
     */
    private Set<RunKey> accounted = new HashSet<>();

    private Set<RunKey> endedInView = new HashSet<>();

    /**
     * @param translateGpus finds the devices behind Slurm's numbers; called with all runs of a view before they are saved
     */
    public SlurmSync(SlurmSettings settings, Store store, UnaryOperator<List<Run>> translateGpus, InstantSource clock) {
        this.settings = settings;
        this.command = new SlurmCommand(settings);
        this.source = Source.of(settings);
        this.store = store;
        this.translateGpus = translateGpus;
        this.clock = clock;
    }

    /**
     * How reading Slurm goes. Immutable.
     *
     * @param jobs live and waiting jobs, from {@code squeue}
     * @param nodes nodes, from {@code sinfo} or {@code scontrol}
     * @param accounting ended jobs, from {@code sacct}
     * @param accounts accounts, users and QoS, from {@code sacctmgr}
     * @param missingRights what Slurm hides from the user whom the collector is to it, and which right would show it; a
     *     sentence each
     */
    public record Status(Part jobs, Part nodes, Part accounting, Part accounts, List<String> missingRights) {
        public Status {
            missingRights = List.copyOf(missingRights);
        }
    }

    /**
     * How one part goes. Immutable.
     *
     * @param lastSuccess the instant that the newest saved answer describes; absent before the first
     * @param failure absent while it works
     * @param problems what the newest answer held that could not be read, one sentence each
     */
    public record Part(Optional<Instant> lastSuccess, Optional<Failure> failure, List<String> problems) {
        static final Part NEVER = new Part(Optional.empty(), Optional.empty(), List.of());

        public Part {
            problems = List.copyOf(problems);
        }
    }

    /**
     * Why a part does not work. Immutable.
     *
     * @param since the first failed try since it worked
     * @param message why the newest try failed, a sentence
     */
    public record Failure(Instant since, String message) {}

    /** Whether Slurm keeps accounting, as far as is known: it does until its configuration says otherwise. */
    public boolean keepsAccounting() {
        return keepsAccounting;
    }

    /** How reading Slurm goes, by the newest cycle. */
    public Status status() {
        return status;
    }

    /**
     * Reads live jobs and nodes, and ended jobs when that is due, and saves them. Failures are in {@link #status}, and
     * logged when they begin and end.
     *
     * @throws InterruptedException if interrupted while waiting for Slurm; what was saved stays saved
     */
    public synchronized void cycle() throws InterruptedException {
        // No store keeps less, so that times still compare when they come back from it.
        Instant now = clock.instant().truncatedTo(ChronoUnit.MILLIS);
        if (now.isBefore(lastCycle)) { // a clock that was set back puts off nothing until it is that late again
            accountingDue = Instant.MIN;
            vanishedDue = Instant.MIN;
            accountsDue = Instant.MIN;
        }
        lastCycle = now;
        attempt(jobs, now, () -> readJobs(now));
        if (!now.isBefore(accountingDue)) {
            accountingDue = now.plus(settings.accountingEvery());
            if (hasAccounting()) {
                attempt(accounting, now, () -> readAccounting(now));
            }
        }
        if (!now.isBefore(accountsDue)) {
            accountsDue = now.plus(settings.accountsEvery());
            if (hasAccounting()) {
                attempt(accounts, now, () -> readAccounts(now));
            }
            attempt(rightsState, now, () -> {
                rights = lookAtRights();
                return List.of();
            });
            conf = null;
            if (accounts.part.failure().isPresent()
                    || rightsState.part.failure().isPresent()) {
                accountsDue = now.plus(settings.accountingEvery().multipliedBy(5));
            }
        }
    }

    // ---- live jobs and nodes

    private List<String> readJobs(Instant now) throws SlurmException, StoreException, InterruptedException {
        String name = cluster(now);
        Map<RunKey, Run> known = new HashMap<>();
        store.liveRuns().forEach(run -> known.put(run.key(), run));
        SqueueParser.Jobs answer = source.jobs(name, now, told -> {
            Run before = known.get(told.key());
            return before == null ? told : before.toldAgain(told);
        });
        attempt(nodes, now, () -> readNodes(answer.release()));

        Set<String> off = knownNodes().stream()
                .filter(node -> node.offBecause().isPresent())
                .map(SlurmNode::name)
                .collect(Collectors.toSet());
        Set<RunKey> ended = new HashSet<>();
        List<Run> runs = new ArrayList<>();
        for (Run run : answer.runs()) {
            if (run.state() == JobState.CONFIGURING
                    && run.allocation().nodes().stream().anyMatch(off::contains)) {
                continue; // its start is set anew when its nodes have booted: this would be a run that never ends
            }
            if (run.end().isPresent()) {
                ended.add(run.key());
            }
            if (run.end().isEmpty() || !accounted.contains(run.key())) {
                runs.add(run);
            }
        }
        List<Run> translated = translateGpus.apply(List.copyOf(runs));
        store.saveView(new SlurmView(now, name, translated, answer.pending(), knownNodes()));
        endedInView = ended;
        return answer.problems();
    }

    private List<String> readNodes(Optional<String> release) throws SlurmException, InterruptedException {
        SinfoParser.Nodes answer = source.nodes(release);
        lastNodes = answer.nodes();
        return answer.problems();
    }

    /** The nodes as told last: a failing sinfo must not hide the jobs. */
    private List<SlurmNode> knownNodes() throws StoreException {
        if (lastNodes == null) {
            lastNodes = store.view().map(SlurmView::nodes).orElse(List.of());
        }
        return lastNodes;
    }

    /** Asked once: an idle cluster's squeue of 22.05 does not tell it. */
    private String cluster(Instant now) throws SlurmException, StoreException, InterruptedException {
        if (cluster == null && settings.cluster().isPresent()) {
            cluster = settings.cluster().get();
        }
        if (cluster == null) {
            try {
                cluster = conf().clusterName()
                        .orElseThrow(() ->
                                new SlurmException("scontrol show config told no ClusterName; set slurm.cluster"));
            } catch (SlurmException e) {
                // Accounting answers without a controller, and needs the name too.
                Optional<SlurmView> known = store.view();
                if (conf == null && known.isPresent()) {
                    return known.get().cluster();
                }
                throw e;
            }
            LOG.info("slurm cluster={} at={}", cluster, now);
        }
        return cluster;
    }

    /** Read once, and again with the accounts: it may change. */
    private SlurmConf conf() throws SlurmException, InterruptedException {
        if (conf == null) {
            conf = SlurmConf.parse(
                    new String(command.run("scontrol", List.of("show", "config")), StandardCharsets.UTF_8));
        }
        return conf;
    }

    /** Unless it is known to be off, there is accounting: it is asked, and says itself what is wrong. */
    private boolean hasAccounting() throws InterruptedException {
        try {
            keepsAccounting = conf().hasAccounting();
            return keepsAccounting;
        } catch (SlurmException expected) {
            return true; // without a controller, as told by the part "jobs"
        }
    }

    // ---- accounts, and what this user may see

    private List<String> readAccounts(Instant now) throws SlurmException, StoreException, InterruptedException {
        String name = cluster(now);
        SacctmgrParser.Accounts answer = SacctmgrParser.parse(
                new SacctmgrParser.Printed(
                        command.run("sacctmgr", SacctmgrParser.associations()),
                        command.run("sacctmgr", SacctmgrParser.accounts()),
                        command.run("sacctmgr", SacctmgrParser.users()),
                        command.run("sacctmgr", SacctmgrParser.qos())),
                name,
                now);
        store.saveAccounts(answer.tree());
        return answer.problems();
    }

    /** Slurm hides without a word: a list without others' jobs looks whole. So it is asked what it hides from whom. */
    private List<String> lookAtRights() throws SlurmException, StoreException, InterruptedException {
        SlurmConf controller = conf();
        SlurmConf database = controller.hasAccounting()
                ? SlurmConf.parse(new String(
                        command.run("sacctmgr", List.of("--readonly", "show", "configuration")),
                        StandardCharsets.UTF_8))
                : new SlurmConf(Map.of());
        List<String> missing = new ArrayList<>(Rights.missing(
                controller,
                database,
                command.userName(),
                // where accounting tells nothing of users, what it told when we were an Operator holds no more
                accounts.part
                                .failure()
                                .filter(failed -> failed.message().contains("denied"))
                                .isPresent()
                        ? List.of()
                        : store.accounts().map(AccountTree::users).orElse(List.of())));
        if (controller.hasAccounting()
                && !controller.countsGpus()
                && knownNodes().stream().anyMatch(node -> node.gpus().orElse(0) > 0)) {
            missing.add(
                    "Accounting counts no GPUs (AccountingStorageTRES of slurm.conf lacks gres/gpu), so those of ended"
                            + " jobs are known only where squeue told them while they ran");
        }
        return missing;
    }

    // ---- ended jobs

    private List<String> readAccounting(Instant now) throws SlurmException, StoreException, InterruptedException {
        String name = cluster(now);
        Set<RunKey> told = new HashSet<>();
        List<String> problems = new ArrayList<>();
        Duration first = settings.history().compareTo(MAX_WINDOW) < 0 ? settings.history() : MAX_WINDOW;
        Instant until = store.accountingUntil().orElse(now.minus(first));
        until = until.isAfter(now) ? now : until;
        Instant from = until.minus(settings.overlap());
        Instant to = until.plus(MAX_WINDOW).isBefore(now) ? until.plus(MAX_WINDOW) : now;
        SacctParser.Ended ended = source.ended(name, from, to, now);
        save(ended.runs(), store.runsWithin(from, now), told);
        problems.addAll(ended.problems());
        store.saveAccountingUntil(to);
        if (store.accountingFrom().isEmpty()) {
            store.saveAccountingFrom(from);
        }
        if (to.isBefore(now)) {
            accountingDue = Instant.MIN; // the next window comes with the next cycle, for live jobs are not to wait
        }

        if (!now.isBefore(vanishedDue)) {
            vanishedDue = now.plus(settings.overlap());
            problems.addAll(readVanished(name, now, told));
        }
        accounted.retainAll(endedInView);
        told.addAll(accounted);
        accounted = told;
        return problems;
    }

    /**
     * Asks by number for runs that are open in the store and were not in the last view. Their end came to accounting
     * later than the windows reach back, as after an outage of slurmdbd, or is lost.
     */
    private List<String> readVanished(String name, Instant now, Set<RunKey> told)
            throws SlurmException, StoreException, InterruptedException {
        Optional<Instant> viewed = store.view().map(SlurmView::at);
        if (viewed.isEmpty()) {
            return List.of();
        }
        Instant oldest = now.minus(settings.history());
        List<Run> vanished = store.liveRuns().stream()
                .filter(run -> run.asOf().isBefore(viewed.get()) && run.asOf().isAfter(oldest))
                .sorted((a, b) -> b.key().start().compareTo(a.key().start()))
                .limit(MAX_VANISHED)
                .toList();
        if (vanished.isEmpty()) {
            return List.of();
        }
        List<Long> ids =
                vanished.stream().map(run -> run.key().jobId()).distinct().toList();
        SacctParser.Ended ended = source.ended(name, ids, now);
        Set<RunKey> open = vanished.stream().map(Run::key).collect(Collectors.toSet());
        save(ended.runs().stream().filter(run -> open.contains(run.key())).toList(), vanished, told);
        return ended.problems();
    }

    private boolean countsGpus() throws InterruptedException {
        try {
            return conf().countsGpus();
        } catch (SlurmException expected) {
            return true; // without a controller, as told by the part "jobs"
        }
    }

    private void save(List<Run> ended, List<Run> known, Set<RunKey> told) throws StoreException, InterruptedException {
        ended.forEach(run -> told.add(run.key()));
        List<Run> news = Accounted.news(ended, known, countsGpus());
        if (!news.isEmpty()) {
            store.saveRuns(news);
        }
    }

    // ---- how it goes

    private interface Reading {
        /** Reads, saves, and returns what could not be read. */
        List<String> read() throws SlurmException, StoreException, InterruptedException;
    }

    /** Whatever goes wrong in a part, memory that runs out included, is told in the status and costs that part only. */
    private void attempt(PartState part, Instant now, Reading reading) throws InterruptedException {
        try {
            part.succeeded(now, reading.read());
        } catch (SlurmException | StoreException e) {
            part.failed(now, String.valueOf(e.getMessage()), null);
        } catch (RuntimeException e) {
            part.failed(now, "a bug: " + e, e);
        } catch (OutOfMemoryError e) {
            part.failed(now, "the collector's memory is too small for the answer (" + e.getMessage() + "); -Xmx", e);
        } catch (Error e) {
            part.failed(now, "an error: " + e, e);
        } finally {
            status = new Status(jobs.part, nodes.part, accounting.part, accounts.part, rights);
        }
    }

    /** How one part goes; logs when that changes. Confined to {@link #cycle}. */
    private static final class PartState {
        private static final int SHOWN = 3;

        final String name;
        Part part = Part.NEVER;

        PartState(String name) {
            this.name = name;
        }

        void succeeded(Instant now, List<String> problems) {
            part.failure()
                    .ifPresent(
                            failure -> LOG.info("slurm part={} answers again failed_since={}", name, failure.since()));
            if (!problems.isEmpty() && problems.size() != part.problems().size()) {
                LOG.warn(
                        "slurm part={} unreadable={} first={}",
                        name,
                        problems.size(),
                        problems.subList(0, Math.min(SHOWN, problems.size())));
            }
            part = new Part(Optional.of(now), Optional.empty(), problems);
        }

        void failed(Instant now, String message, @Nullable Throwable bug) {
            Instant since = part.failure().map(Failure::since).orElse(now);
            boolean news = part.failure().isEmpty();
            part = new Part(part.lastSuccess(), Optional.of(new Failure(since, message)), part.problems());
            if (!news) {
                return;
            }
            if (bug != null) {
                LOG.error("slurm part={} failed", name, bug);
            } else {
                LOG.warn(
                        "slurm part={} failed why={} last_success={}",
                        name,
                        message,
                        part.lastSuccess().map(Instant::toString).orElse("never"));
            }
        }
    }
}
