package io.fairwatch.rules;

import io.fairwatch.rules.Rule.Exemptions.By;
import io.fairwatch.rules.Verdict.Selected;
import io.fairwatch.rules.Vocabulary.View;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Facts turned into what expressions read, once for all rules that are asked about them, and not before one of them asks.
 * Confined to one thread. */
final class Views {
    /** Stands for an allocated GPU of which there are no facts at all. */
    private static final GpuFacts UNSEEN = new GpuFacts(
            "(not known)", Optional.empty(), OptionalInt.empty(), Optional.empty(), true, 0, GpuFacts.Use.NOT_KNOWN);

    private final SubjectFacts facts;
    private final View subject;
    private final double coverage;
    private final Duration window;
    private final Map<String, List<Member>> lists = new HashMap<>(4);
    private final Map<String, Seen> seen = new HashMap<>(4);
    private @Nullable View queue;

    /** Members of a list as rules with one minimum coverage see them. */
    private record Seen(double minimumCoverage, List<View> views) {}

    /** One member of a list. Confined to one thread. */
    static final class Member {
        private final Selected facts;
        private final double coverage;
        private final View known;
        private final Supplier<View> blank;
        private @Nullable View made;

        private Member(Selected facts, double coverage, View known, Supplier<View> blank) {
            this.facts = facts;
            this.coverage = coverage;
            this.known = known;
            this.blank = blank;
        }

        Selected facts() {
            return facts;
        }

        double coverage() {
            return coverage;
        }

        /** What a rule sees of it: nothing of its use where there are too few samples. */
        View view(double minimumCoverage) {
            if (coverage >= minimumCoverage) {
                return known;
            }
            if (made == null) {
                made = blank.get();
            }
            return made;
        }
    }

    private Views(SubjectFacts facts, View subject, double coverage) {
        this.facts = facts;
        this.subject = subject;
        this.coverage = coverage;
        this.window = Duration.between(facts.from(), facts.to());
    }

    static Views of(SubjectFacts facts) {
        if (facts instanceof JobFacts job) {
            return new Views(facts, Vocabulary.JOB.view(job.job(), job.use()), coverage(job));
        }
        if (facts instanceof PendingFacts pending) {
            return new Views(facts, Vocabulary.PENDING_JOB.view(pending.job()), 1);
        }
        if (facts instanceof NodeFacts node) {
            double least = 1;
            for (NodeFacts.Gpu gpu : node.gpus()) {
                least = Math.min(least, gpu.coverage());
            }
            return new Views(facts, Vocabulary.NODE.view(node.node()), least);
        }
        UserFacts user = (UserFacts) facts;
        return new Views(
                facts,
                Vocabulary.USER.view(user.user(), user.now()),
                user.user().coverage());
    }

    private static double coverage(JobFacts facts) {
        double least = 1;
        int allocated = 0;
        for (GpuFacts gpu : facts.gpus()) {
            if (gpu.allocated()) {
                least = Math.min(least, gpu.coverage());
                allocated++;
            }
        }
        return allocated < facts.job().resources().gpusAllocated().orElse(0) ? 0 : least;
    }

    private List<Member> members(String plural) {
        if (facts instanceof JobFacts job) {
            return switch (plural) {
                case "gpus" -> gpus(job);
                case "nodes" ->
                    job.nodes().stream()
                            .map(node -> new Member(
                                    new Selected("node", node.name(), node),
                                    node.coverage(),
                                    Vocabulary.JOB_NODE.view(node),
                                    () -> Vocabulary.JOB_NODE.view(node.withoutUse())))
                            .toList();
                default -> List.of();
            };
        }
        if (facts instanceof PendingFacts pending) {
            return plural.equals("places")
                    ? pending.places().stream()
                            .map(place -> certain("place", place.name(), place, Vocabulary.PLACE.view(place)))
                            .toList()
                    : List.of();
        }
        if (facts instanceof NodeFacts node) {
            return switch (plural) {
                case "gpus" ->
                    node.gpus().stream()
                            .map(gpu -> new Member(
                                    new Selected("gpu", gpu.uuid(), gpu),
                                    gpu.coverage(),
                                    Vocabulary.NODE_GPU.view(gpu),
                                    () -> Vocabulary.NODE_GPU.view(gpu.withoutUse())))
                            .toList();
                case "directories" -> directories(node.directories());
                default -> List.of();
            };
        }
        UserFacts user = (UserFacts) facts;
        return switch (plural) {
            case "jobs" ->
                user.jobs().stream()
                        .map(job -> new Member(
                                new Selected("job", job.displayId(), job),
                                job.coverage(),
                                Vocabulary.USER_JOB.view(job),
                                () -> Vocabulary.USER_JOB.view(job.withoutUse())))
                        .toList();
            case "directories" -> directories(user.directories());
            default -> List.of();
        };
    }

    private static List<Member> gpus(JobFacts facts) {
        List<Member> gpus = new ArrayList<>(facts.gpus().size());
        int allocated = 0;
        for (GpuFacts gpu : facts.gpus()) {
            gpus.add(gpu(gpu));
            allocated += gpu.allocated() ? 1 : 0;
        }
        // an allocated GPU without facts must not make the others look like all there are
        for (int i = allocated; i < facts.job().resources().gpusAllocated().orElse(0); i++) {
            gpus.add(gpu(UNSEEN));
        }
        return gpus;
    }

    private static Member gpu(GpuFacts gpu) {
        return new Member(
                new Selected("gpu", gpu.uuid().orElse(""), gpu),
                gpu.coverage(),
                Vocabulary.GPU.view(gpu),
                () -> Vocabulary.GPU.view(gpu.withoutUse()));
    }

    private static List<Member> directories(List<DirectoryFacts> directories) {
        return directories.stream()
                .map(directory -> certain(
                        "directory",
                        directory.node() + ":" + directory.path(),
                        directory,
                        Vocabulary.DIRECTORY.view(directory)))
                .toList();
    }

    /** A member of which everything comes from one place, so that it is known or not there. */
    private static Member certain(String kind, String name, Record facts, View view) {
        return new Member(new Selected(kind, name, facts), 1, view, () -> view);
    }

    SubjectFacts facts() {
        return facts;
    }

    boolean fresh() {
        if (facts instanceof JobFacts job) {
            return job.job().fresh();
        }
        if (facts instanceof PendingFacts pending) {
            return pending.job().fresh();
        }
        return facts instanceof NodeFacts node
                ? node.node().fresh()
                : ((UserFacts) facts).user().fresh();
    }

    /** How old a run is, or how long a job has waited; empty for what has no age. */
    Optional<Long> ageSeconds() {
        if (facts instanceof JobFacts job) {
            return Optional.of(job.job().elapsedSeconds());
        }
        return facts instanceof PendingFacts pending ? Optional.of(pending.job().waitingSeconds()) : Optional.empty();
    }

    /** The least coverage of its parts. */
    double coverage() {
        return coverage;
    }

    Duration window() {
        return window;
    }

    Instant at() {
        return facts.to();
    }

    /** What it goes by in one respect; absent as a whole if that says nothing of such a subject, absent within if it is
     * not known. */
    Optional<Optional<List<String>>> goesBy(By by) {
        if (facts instanceof JobFacts job) {
            return by == By.NODES
                    ? Optional.of(Optional.of(job.job().resources().nodeNames()))
                    : goesBy(job.job().submission(), by);
        }
        if (facts instanceof PendingFacts pending) {
            return goesBy(pending.job().submission(), by);
        }
        if (facts instanceof NodeFacts node) {
            return by == By.NODES ? Optional.of(Optional.of(List.of(node.node().name()))) : Optional.empty();
        }
        UserFacts user = (UserFacts) facts;
        return switch (by) {
            case USERS -> Optional.of(Optional.of(List.of(user.user().name())));
            case ACCOUNTS -> Optional.of(user.user().account().map(List::of));
            case QOS, PARTITIONS, NODES, RESERVATIONS, COMMENTS -> Optional.empty();
        };
    }

    private static Optional<Optional<List<String>>> goesBy(JobAllocation.Submission submission, By by) {
        return switch (by) {
            case USERS -> Optional.of(Optional.of(List.of(submission.user())));
            case ACCOUNTS -> Optional.of(submission.account().map(List::of));
            case QOS -> Optional.of(submission.qos().map(List::of));
            case PARTITIONS -> Optional.of(submission.partition().map(List::of));
            case RESERVATIONS -> Optional.of(submission.reservation().map(List::of));
            case COMMENTS -> Optional.of(submission.comment().map(List::of));
            case NODES -> Optional.empty();
        };
    }

    /** Whether one of the names is its own, for settings that hold for some only. */
    boolean isOne(Rule.Match.Of of, List<String> names) {
        return switch (of) {
            case GPU_MODELS -> gpuModel().filter(names::contains).isPresent();
            case PARTITIONS -> isOne(By.PARTITIONS, names);
            case ACCOUNTS -> isOne(By.ACCOUNTS, names);
            case QOS -> isOne(By.QOS, names);
        };
    }

    private Optional<String> gpuModel() {
        if (facts instanceof JobFacts job) {
            return job.job().resources().gpuModel();
        }
        return facts instanceof PendingFacts pending ? pending.job().gpuModel() : Optional.empty();
    }

    private boolean isOne(By by, List<String> names) {
        return goesBy(by).flatMap(known -> known).orElse(List.of()).stream().anyMatch(names::contains);
    }

    View subject() {
        return subject;
    }

    /** Who waits; only for subjects that have to do with it. */
    View queue() {
        if (queue == null) {
            queue = Vocabulary.QUEUE.view(
                    facts instanceof JobFacts job
                            ? job.queue()
                            : facts instanceof PendingFacts pending ? pending.queue() : QueueFacts.NOT_KNOWN);
        }
        return queue;
    }

    List<Member> list(String plural) {
        List<Member> known = lists.get(plural);
        if (known == null) {
            known = members(plural);
            lists.put(plural, known);
        }
        return known;
    }

    /** The members of a list as a rule with that minimum coverage sees them. */
    List<View> seen(String plural, double minimumCoverage) {
        Seen known = seen.get(plural);
        if (known == null || known.minimumCoverage() != minimumCoverage) {
            List<Member> members = list(plural);
            List<View> views = new ArrayList<>(members.size());
            for (Member member : members) {
                views.add(member.view(minimumCoverage));
            }
            known = new Seen(minimumCoverage, views);
            seen.put(plural, known);
        }
        return known.views();
    }
}
