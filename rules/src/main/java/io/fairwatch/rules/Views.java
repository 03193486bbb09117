package io.fairwatch.rules;

import io.fairwatch.rules.Rule.Exemptions.By;
import io.fairwatch.rules.Verdict.Selected;
import io.fairwatch.rules.Vocabulary.View;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Facts turned into what expressions read, once for all rules that are asked about them. Confined to one thread. */
final class Views {
    /** Stands for an allocated GPU of which there are no facts at all. */
    private static final GpuFacts UNSEEN = new GpuFacts(
            "(not known)", Optional.empty(), OptionalInt.empty(), Optional.empty(), true, 0, GpuFacts.Use.NOT_KNOWN);

    private final SubjectFacts facts;
    private final boolean fresh;
    private final Map<String, View> subject = new HashMap<>();
    private final Map<String, List<Member>> lists = new HashMap<>();
    private final Map<By, Optional<List<String>>> exemptBy = new EnumMap<>(By.class);
    private Optional<Long> ageSeconds = Optional.empty();
    private Optional<String> gpuModel = Optional.empty();
    private double coverage = 1;

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

    private Views(SubjectFacts facts, boolean fresh) {
        this.facts = facts;
        this.fresh = fresh;
    }

    static Views of(SubjectFacts facts) {
        if (facts instanceof JobFacts job) {
            return ofJob(job);
        }
        if (facts instanceof PendingFacts pending) {
            return ofPending(pending);
        }
        return facts instanceof NodeFacts node ? ofNode(node) : ofUser((UserFacts) facts);
    }

    private static Views ofJob(JobFacts facts) {
        JobAllocation job = facts.job();
        Views views = new Views(facts, job.fresh());
        views.ageSeconds = Optional.of(job.elapsedSeconds());
        views.gpuModel = job.resources().gpuModel();
        views.submission(job.submission());
        views.exemptBy.put(By.NODES, Optional.of(job.resources().nodeNames()));
        views.subject.put("job", Vocabulary.JOB.view(job, facts.use()));
        views.subject.put("queue", Vocabulary.QUEUE.view(facts.queue()));
        List<Member> gpus = new ArrayList<>();
        for (GpuFacts gpu : facts.gpus()) {
            gpus.add(gpu(gpu));
            if (gpu.allocated()) {
                views.coverage = Math.min(views.coverage, gpu.coverage());
            }
        }
        // an allocated GPU without facts must not make the others look like all there are
        long seen = facts.gpus().stream().filter(GpuFacts::allocated).count();
        for (long i = seen; i < job.resources().gpusAllocated().orElse(0); i++) {
            gpus.add(gpu(UNSEEN));
            views.coverage = 0;
        }
        views.lists.put("gpus", gpus);
        views.lists.put(
                "nodes",
                facts.nodes().stream()
                        .map(node -> new Member(
                                new Selected("node", node.name(), node),
                                node.coverage(),
                                Vocabulary.JOB_NODE.view(node),
                                () -> Vocabulary.JOB_NODE.view(node.withoutUse())))
                        .toList());
        return views;
    }

    private static Member gpu(GpuFacts gpu) {
        return new Member(
                new Selected("gpu", gpu.uuid().orElse(""), gpu),
                gpu.coverage(),
                Vocabulary.GPU.view(gpu),
                () -> Vocabulary.GPU.view(gpu.withoutUse()));
    }

    private static Views ofPending(PendingFacts facts) {
        Views views = new Views(facts, facts.job().fresh());
        views.ageSeconds = Optional.of(facts.job().waitingSeconds());
        views.gpuModel = facts.job().gpuModel();
        views.submission(facts.job().submission());
        views.subject.put("job", Vocabulary.PENDING_JOB.view(facts.job()));
        views.subject.put("queue", Vocabulary.QUEUE.view(facts.queue()));
        views.lists.put(
                "places",
                facts.places().stream()
                        .map(place -> certain("place", place.name(), place, Vocabulary.PLACE.view(place)))
                        .toList());
        return views;
    }

    private static Views ofNode(NodeFacts facts) {
        Views views = new Views(facts, facts.node().fresh());
        views.exemptBy.put(By.NODES, Optional.of(List.of(facts.node().name())));
        views.subject.put("node", Vocabulary.NODE.view(facts.node()));
        views.lists.put(
                "gpus",
                facts.gpus().stream()
                        .map(gpu -> new Member(
                                new Selected("gpu", gpu.uuid(), gpu),
                                gpu.coverage(),
                                Vocabulary.NODE_GPU.view(gpu),
                                () -> Vocabulary.NODE_GPU.view(gpu.withoutUse())))
                        .toList());
        facts.gpus().forEach(gpu -> views.coverage = Math.min(views.coverage, gpu.coverage()));
        views.directories(facts.directories());
        return views;
    }

    private static Views ofUser(UserFacts facts) {
        Views views = new Views(facts, facts.user().fresh());
        views.exemptBy.put(By.USERS, Optional.of(List.of(facts.user().name())));
        views.exemptBy.put(By.ACCOUNTS, facts.user().account().map(List::of));
        views.coverage = facts.user().coverage();
        views.subject.put("user", Vocabulary.USER.view(facts.user(), facts.now()));
        views.lists.put(
                "jobs",
                facts.jobs().stream()
                        .map(job -> new Member(
                                new Selected("job", job.displayId(), job),
                                job.coverage(),
                                Vocabulary.USER_JOB.view(job),
                                () -> Vocabulary.USER_JOB.view(job.withoutUse())))
                        .toList());
        views.directories(facts.directories());
        return views;
    }

    private void directories(List<DirectoryFacts> directories) {
        lists.put(
                "directories",
                directories.stream()
                        .map(directory -> certain(
                                "directory",
                                directory.node() + ":" + directory.path(),
                                directory,
                                Vocabulary.DIRECTORY.view(directory)))
                        .toList());
    }

    /** A member of which everything comes from one place, so that it is known or not there. */
    private static Member certain(String kind, String name, Record facts, View view) {
        return new Member(new Selected(kind, name, facts), 1, view, () -> view);
    }

    private void submission(JobAllocation.Submission submission) {
        exemptBy.put(By.USERS, Optional.of(List.of(submission.user())));
        exemptBy.put(By.ACCOUNTS, submission.account().map(List::of));
        exemptBy.put(By.QOS, submission.qos().map(List::of));
        exemptBy.put(By.PARTITIONS, submission.partition().map(List::of));
        exemptBy.put(By.RESERVATIONS, submission.reservation().map(List::of));
        exemptBy.put(By.COMMENTS, submission.comment().map(List::of));
    }

    SubjectFacts facts() {
        return facts;
    }

    boolean fresh() {
        return fresh;
    }

    /** How old a run is, or how long a job has waited; empty for what has no age. */
    Optional<Long> ageSeconds() {
        return ageSeconds;
    }

    /** The least coverage of its parts. */
    double coverage() {
        return coverage;
    }

    Duration window() {
        return Duration.between(facts.from(), facts.to());
    }

    Instant at() {
        return facts.to();
    }

    /** What it goes by in one respect; absent as a whole if that says nothing of such a subject, absent within if it is
     * not known. */
    Optional<Optional<List<String>>> goesBy(By by) {
        return Optional.ofNullable(exemptBy.get(by));
    }

    /** Whether one of the names is its own, for settings that hold for some only. */
    boolean isOne(Rule.Match.Of of, List<String> names) {
        return switch (of) {
            case GPU_MODELS -> gpuModel.filter(names::contains).isPresent();
            case PARTITIONS -> isOne(By.PARTITIONS, names);
            case ACCOUNTS -> isOne(By.ACCOUNTS, names);
            case QOS -> isOne(By.QOS, names);
        };
    }

    private boolean isOne(By by, List<String> names) {
        return goesBy(by).flatMap(known -> known).orElse(List.of()).stream().anyMatch(names::contains);
    }

    View subject(String variable) {
        return Objects.requireNonNull(subject.get(variable), variable);
    }

    List<Member> list(String plural) {
        return lists.getOrDefault(plural, List.of());
    }
}
