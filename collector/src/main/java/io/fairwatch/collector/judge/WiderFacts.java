package io.fairwatch.collector.judge;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.store.GpuOutside;
import io.fairwatch.collector.store.GpuSeen;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.JobUse;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.RunSummary;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.usage.Horizon;
import io.fairwatch.rules.DirectoryFacts;
import io.fairwatch.rules.NodeFacts;
import io.fairwatch.rules.UserFacts;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Facts of nodes, and of users over a period; a few questions to the store for all of them. Immutable. */
final class WiderFacts {
    /** Coverage from which it can be said that a GPU did nothing at all. */
    private static final double SEEN_WELL = 0.9;

    private final Store store;
    private final double busyAboveRatio;

    WiderFacts(Store store, double busyAboveRatio) {
        this.store = store;
        this.busyAboveRatio = busyAboveRatio;
    }

    // ---- nodes

    /** The facts of every node that ever reported, by name. */
    Map<String, NodeFacts> ofNodes(
            Duration window, Map<String, NodeState> nodes, List<Run> running, Cluster cluster, Instant now)
            throws StoreException {
        Map<String, List<GpuOutside>> outside =
                store.gpusOutsideJobs(now.minus(window), now).stream().collect(Collectors.groupingBy(GpuOutside::node));
        Map<String, GpuDevice> devices = store.gpus().stream()
                .collect(Collectors.toMap(seen -> seen.device().uuid(), GpuSeen::device, (a, b) -> a));
        Set<String> held = new HashSet<>();
        Set<String> vague = new HashSet<>();
        for (Run run : running) {
            if (run.gpus().isEmpty() && run.allocation().gpus().orElse(1) > 0) {
                vague.addAll(run.allocation().nodes());
            }
            for (AllocatedGpu gpu : run.gpus()) {
                if (gpu.uuid().isPresent() && gpu.confidence() != AllocatedGpu.Confidence.CONTRADICTED) {
                    held.add(gpu.uuid().get());
                } else {
                    vague.add(gpu.node());
                }
            }
        }
        Map<String, NodeFacts> facts = new TreeMap<>();
        nodes.values().parallelStream()
                .map(node -> {
                    List<GpuOutside> its = outside.getOrDefault(node.node(), List.of());
                    return Map.entry(node.node(), ofNode(window, node, its, devices, held, vague, cluster, now));
                })
                .toList()
                .forEach(one -> facts.put(one.getKey(), one.getValue()));
        return facts;
    }

    private static NodeFacts ofNode(
            Duration window,
            NodeState node,
            List<GpuOutside> outside,
            Map<String, GpuDevice> devices,
            Set<String> held,
            Set<String> vague,
            Cluster cluster,
            Instant now) {
        Optional<SlurmNode> slurm = cluster.node(node.node());
        List<NodeFacts.Gpu> gpus = new ArrayList<>();
        for (GpuOutside gpu : outside) {
            boolean known = !vague.contains(node.node())
                    && slurm.flatMap(one -> one.gpus().isPresent() ? Optional.of(1) : Optional.empty())
                            .isPresent();
            gpus.add(new NodeFacts.Gpu(
                    gpu.uuid(),
                    Optional.ofNullable(devices.get(gpu.uuid())).map(GpuDevice::name),
                    known ? Optional.of(held.contains(gpu.uuid())) : Optional.empty(),
                    gpu.processesMax(),
                    gpu.uids().stream().map(uid -> nameOf(uid, node)).toList(),
                    gpu.utilizationMaxRatio(),
                    Math.min(1, (double) gpu.coveredMs() / window.toMillis())));
        }
        return new NodeFacts(
                new NodeFacts.Node(
                        node.node(),
                        slurm.map(SlurmNode::state),
                        slurm.map(SlurmNode::gpus).orElse(OptionalInt.empty()),
                        cluster.gpusHeld(node.node()),
                        OptionalLong.of(
                                Math.max(0, Duration.between(node.lastAt(), now).toSeconds())),
                        node.simulated().isPresent(),
                        true),
                now.minus(window),
                now,
                gpus,
                directories(node, now));
    }

    private static String nameOf(int uid, NodeState node) {
        return node.users().stream()
                .filter(user -> user.uid() == uid)
                .flatMap(user -> user.name().stream())
                .findFirst()
                .orElse(uid == 0 ? "root" : "uid " + uid);
    }

    private static List<DirectoryFacts> directories(NodeState node, Instant now) {
        List<DirectoryFacts> facts = new ArrayList<>();
        for (ScratchUse mount : node.scratch()) {
            if (mount.directories().isEmpty() || mount.totalBytes() <= 0) {
                continue;
            }
            ScratchUse.Directories counted = mount.directories().get();
            for (ScratchUse.DirectoryUse directory : counted.list()) {
                facts.add(new DirectoryFacts(
                        node.node(),
                        (mount.mount().endsWith("/") ? mount.mount() : mount.mount() + "/") + directory.name(),
                        directory.owner(),
                        switch (directory.ownerIs()) {
                            case KNOWN -> Optional.of(false);
                            case GONE -> Optional.of(true);
                            case NOT_ASKED -> Optional.empty();
                        },
                        directory.usedBytes(),
                        directory.files(),
                        directory
                                .lastWrite()
                                .map(at -> OptionalLong.of(
                                        Math.max(0, Duration.between(at, now).toSeconds())))
                                .orElse(OptionalLong.empty()),
                        Math.min(1, (double) directory.usedBytes() / mount.totalBytes()),
                        Math.min(1, (double) mount.usedBytes() / mount.totalBytes()),
                        directory
                                .limit()
                                .map(limit -> ratio(directory.usedBytes(), limit))
                                .orElse(OptionalDouble.empty()),
                        Math.max(0, Duration.between(counted.at(), now).toSeconds())));
            }
        }
        return facts;
    }

    private static OptionalDouble ratio(long used, ScratchUse.Limit limit) {
        OptionalLong most = limit.softBytes().isPresent() ? limit.softBytes() : limit.hardBytes();
        return most.orElse(0) > 0 ? OptionalDouble.of((double) used / most.getAsLong()) : OptionalDouble.empty();
    }

    // ---- users

    /** What a run did in a period. */
    record Part(Run run, Instant from, Instant to, List<GpuUse> gpus, Optional<JobUse> job) {
        /** Which part of which run. */
        record Of(RunKey run, Instant from, Instant to) {}

        double periodSeconds() {
            return Math.max(0, Duration.between(from, to).toMillis() / 1000.0);
        }

        int gpuCount() {
            return run.allocation().gpus().orElse(run.gpus().size());
        }
    }

    /** The facts of everybody who had a run in the period, holds or waits for something, or keeps a directory. */
    Map<String, UserFacts> ofUsers(
            Duration window, Map<String, NodeState> nodes, List<Run> running, List<PendingJob> pending, Instant now)
            throws StoreException {
        Instant from = now.minus(window);
        List<Run> runs = store.runsWithin(from, now);
        Map<RunKey, RunSummary> summaries =
                store
                        .summaries(runs.stream()
                                .filter(run -> isWhole(run, from))
                                .map(Run::key)
                                .toList())
                        .stream()
                        .collect(Collectors.toMap(RunSummary::run, Function.identity()));
        Map<Part.Of, List<GpuUse>> gpus = gpuUse(cut(runs, summaries, from, nodes, now));
        return ofUsers(window, runs, summaries, gpus, nodes, running, pending, now);
    }

    /** Whether all of a run lies in a period that begins then. */
    static boolean isWhole(Run run, Instant from) {
        return run.end().isPresent() && !run.key().start().isBefore(from);
    }

    /**
     * The same, of runs that are known.
     *
     * @param runs all that lived in the period
     * @param summaries of those that lie within it, as far as there are any
     * @param gpus what was asked, see {@link #gpuUse}, of the others
     */
    Map<String, UserFacts> ofUsers(
            Duration window,
            List<Run> runs,
            Map<RunKey, RunSummary> summaries,
            Map<Part.Of, List<GpuUse>> gpus,
            Map<String, NodeState> nodes,
            List<Run> running,
            List<PendingJob> pending,
            Instant now)
            throws StoreException {
        Instant from = now.minus(window);
        Map<String, List<Part>> byUser = new TreeMap<>();
        for (Part part : parts(runs, summaries, gpus, from, nodes, now)) {
            byUser.computeIfAbsent(part.run().owner().user(), none -> new ArrayList<>())
                    .add(part);
        }
        Map<String, List<DirectoryFacts>> directories = new HashMap<>();
        nodes.values().forEach(node -> directories(node, now)
                .forEach(one -> one.owner().ifPresent(owner -> directories
                        .computeIfAbsent(owner, none -> new ArrayList<>())
                        .add(one))));
        Map<String, Double> heldSeconds = new HashMap<>();
        Map<String, Double> accountSeconds = new HashMap<>();
        byUser.forEach((user, parts) -> parts.forEach(part -> {
            double seconds = part.gpuCount() * part.periodSeconds();
            heldSeconds.merge(user, seconds, Double::sum);
            accountSeconds.merge(part.run().owner().account(), seconds, Double::sum);
        }));
        double all =
                heldSeconds.values().stream().mapToDouble(Double::doubleValue).sum();
        List<String> ranked = heldSeconds.entrySet().stream()
                .filter(entry -> entry.getValue() > 0)
                .sorted(Map.Entry.<String, Double>comparingByValue().reversed())
                .map(Map.Entry::getKey)
                .toList();
        Map<String, Integer> ranks = new HashMap<>();
        ranked.forEach(user -> ranks.put(user, ranks.size() + 1));

        Map<String, UserFacts> facts = new LinkedHashMap<>();
        Set<String> everybody = new TreeSet<>(byUser.keySet());
        everybody.addAll(directories.keySet());
        for (String user : everybody) {
            List<Part> parts = byUser.getOrDefault(user, List.of());
            List<UserFacts.Job> jobs = parts.stream().map(this::job).toList();
            Optional<String> account = mainAccount(parts);
            double held = heldSeconds.getOrDefault(user, 0.0);
            double measured =
                    jobs.stream().mapToDouble(UserFacts.Job::gpuSecondsMeasured).sum();
            facts.put(
                    user,
                    new UserFacts(
                            new UserFacts.User(
                                    user,
                                    account,
                                    parts.size(),
                                    held,
                                    measured,
                                    jobs.stream()
                                            .mapToDouble(UserFacts.Job::gpuSecondsIdle)
                                            .sum(),
                                    mean(jobs),
                                    all > 0 ? OptionalDouble.of(Math.min(1, held / all)) : OptionalDouble.empty(),
                                    ranks.containsKey(user) ? OptionalInt.of(ranks.get(user)) : OptionalInt.empty(),
                                    held > 0 ? Math.min(1, measured / held) : 1,
                                    account.map(name -> OptionalDouble.of(accountSeconds.getOrDefault(name, 0.0)))
                                            .orElse(OptionalDouble.empty()),
                                    true),
                            holds(user, account, running, pending),
                            from,
                            now,
                            jobs,
                            directories.getOrDefault(user, List.of())));
        }
        return facts;
    }

    /** What runs did with GPUs in parts of their time; the more parts lie near each other, the less each costs. */
    Map<Part.Of, List<GpuUse>> gpuUse(List<RunSpan> parts) throws StoreException {
        Map<Part.Of, RunSpan> once = new LinkedHashMap<>();
        parts.forEach(part -> once.put(new Part.Of(part.run().key(), part.from(), part.to()), part));
        return store.gpuUse(once.values(), busyAboveRatio).stream()
                .collect(Collectors.groupingBy(use -> new Part.Of(use.run(), use.from(), use.to())));
    }

    /** Which parts of runs of a period have to be asked about: those of runs that it cuts, or that have no summary. */
    List<RunSpan> cut(
            List<Run> runs,
            Map<RunKey, RunSummary> summaries,
            Instant from,
            Map<String, NodeState> nodes,
            Instant now) {
        return runs.stream()
                .filter(run -> summary(run, summaries, from).isEmpty())
                .map(run -> span(run, from, nodes, now))
                .filter(span -> span.from().isBefore(span.to()))
                .toList();
    }

    private Optional<RunSummary> summary(Run run, Map<RunKey, RunSummary> summaries, Instant from) {
        return Optional.ofNullable(isWhole(run, from) ? summaries.get(run.key()) : null)
                .filter(summary -> summary.busyAboveRatio() == busyAboveRatio);
    }

    private static RunSpan span(Run run, Instant from, Map<String, NodeState> nodes, Instant now) {
        Instant begin = run.key().start().isBefore(from) ? from : run.key().start();
        return new RunSpan(run, begin, Horizon.of(run, nodes, now));
    }

    /** Each run of the period with what it did in it: by its summary where it lies within and has one. */
    private List<Part> parts(
            List<Run> runs,
            Map<RunKey, RunSummary> summaries,
            Map<Part.Of, List<GpuUse>> gpus,
            Instant from,
            Map<String, NodeState> nodes,
            Instant now)
            throws StoreException {
        List<Part> parts = new ArrayList<>();
        for (Run run : runs) {
            summary(run, summaries, from).ifPresent(summary -> {
                RunSpan span = span(run, from, nodes, now);
                parts.add(new Part(run, span.from(), span.to(), summary.gpus(), summary.job()));
            });
        }
        List<RunSpan> asked = cut(runs, summaries, from, nodes, now);
        Map<RunKey, JobUse> jobs =
                store.jobUse(asked).stream().collect(Collectors.toMap(JobUse::run, Function.identity()));
        for (RunSpan span : asked) {
            RunKey key = span.run().key();
            parts.add(new Part(
                    span.run(),
                    span.from(),
                    span.to(),
                    gpus.getOrDefault(new Part.Of(key, span.from(), span.to()), List.of()),
                    Optional.ofNullable(jobs.get(key))));
        }
        parts.sort(Comparator.comparing(part -> part.run().key().start()));
        return parts;
    }

    private UserFacts.Job job(Part part) {
        Run run = part.run();
        double measured = 0;
        double idle = 0;
        double used = 0;
        int never = 0;
        boolean allSeen = true;
        OptionalDouble memory = OptionalDouble.empty();
        for (GpuUse use : part.gpus()) {
            if (use.allocated().isEmpty()) {
                continue;
            }
            double known = use.busySeconds() + use.idleSeconds();
            measured += known;
            idle += use.idleSeconds();
            used += use.utilizationMeanRatio().orElse(0) * known;
            allSeen &= known >= SEEN_WELL * part.periodSeconds();
            never += use.utilizationMaxRatio().isPresent()
                            && use.utilizationMaxRatio().getAsDouble() <= busyAboveRatio
                    ? 1
                    : 0;
            OptionalLong total = use.device().map(GpuDevice::memoryTotalBytes).orElse(OptionalLong.empty());
            if (use.memoryUsedMaxBytes().isPresent() && total.orElse(0) > 0) {
                memory = OptionalDouble.of(Math.max(
                        memory.orElse(0),
                        Math.min(1, (double) use.memoryUsedMaxBytes().getAsLong() / total.getAsLong())));
            }
        }
        int gpus = part.gpuCount();
        double held = gpus * part.periodSeconds();
        boolean nodesSeen = part.job()
                .filter(use -> use.nodesSeen() == run.allocation().nodes().size())
                .isPresent();
        return new UserFacts.Job(
                run.key().jobId(),
                run.displayId(),
                run.state().name(),
                run.owner().partition().isEmpty()
                        ? Optional.empty()
                        : Optional.of(run.owner().partition()),
                Optional.of(run.name()),
                run.interactive(),
                run.ids().arrayJobId().isPresent(),
                run.allocation().nodes().size(),
                run.allocation().cpus(),
                gpus,
                run.allocation().memoryBytes(),
                run.heldWithin(run.key().start(), part.to()).toSeconds(),
                (long) part.periodSeconds(),
                run.timeLimit().map(limit -> OptionalLong.of(limit.toSeconds())).orElse(OptionalLong.empty()),
                nodesSeen ? part.job().orElseThrow().cpuSeconds() : OptionalDouble.empty(),
                nodesSeen ? part.job().orElseThrow().memoryUsedMaxBytes() : OptionalLong.empty(),
                measured,
                idle,
                gpus > 0 && allSeen && !part.gpus().isEmpty() ? OptionalInt.of(never) : OptionalInt.empty(),
                measured > 0 ? OptionalDouble.of(Math.min(1, used / measured)) : OptionalDouble.empty(),
                memory,
                gpus > 0 ? held > 0 ? Math.min(1, measured / held) : 0 : nodesSeen ? 1 : 0);
    }

    private static OptionalDouble mean(List<UserFacts.Job> jobs) {
        double measured =
                jobs.stream().mapToDouble(UserFacts.Job::gpuSecondsMeasured).sum();
        return measured > 0
                ? OptionalDouble.of(Math.min(
                        1,
                        jobs.stream()
                                        .mapToDouble(job ->
                                                job.utilizationMeanRatio().orElse(0) * job.gpuSecondsMeasured())
                                        .sum()
                                / measured))
                : OptionalDouble.empty();
    }

    private static Optional<String> mainAccount(List<Part> parts) {
        Map<String, Double> seconds = new HashMap<>();
        parts.forEach(part ->
                seconds.merge(part.run().owner().account(), part.gpuCount() * part.periodSeconds(), Double::sum));
        return seconds.entrySet().stream()
                .filter(entry -> !entry.getKey().isEmpty())
                .max(Map.Entry.<String, Double>comparingByValue()
                        .thenComparing(
                                Map.Entry.<String, Double>comparingByKey().reversed()))
                .map(Map.Entry::getKey);
    }

    private static UserFacts.Now holds(
            String user, Optional<String> account, List<Run> running, List<PendingJob> pending) {
        List<Run> own =
                running.stream().filter(run -> run.owner().user().equals(user)).toList();
        List<Run> accounts = running.stream()
                .filter(run -> account.filter(run.owner().account()::equals).isPresent())
                .toList();
        return new UserFacts.Now(
                own.size(),
                (int) pending.stream()
                        .filter(job -> job.owner().user().equals(user))
                        .count(),
                gpus(own),
                account.isPresent() ? OptionalInt.of(accounts.size()) : OptionalInt.empty(),
                account.isPresent() ? OptionalInt.of(gpus(accounts)) : OptionalInt.empty());
    }

    private static int gpus(List<Run> runs) {
        return runs.stream()
                .mapToInt(run -> run.allocation().gpus().orElse(run.gpus().size()))
                .sum();
    }
}
