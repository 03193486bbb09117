package io.fairwatch.rules;

import dev.cel.common.types.SimpleType;
import io.fairwatch.rules.Vocabulary.Fact;
import io.fairwatch.rules.Vocabulary.Thing;
import io.fairwatch.rules.YamlBlock.Entry;
import io.fairwatch.rules.YamlBlock.Text;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntFunction;

/** One line of a rule's table: these facts, this verdict. Immutable.
 *
 * @param name what it shows, in words
 * @param line where it starts in the file
 * @param facts what is known
 * @param expect the verdict
 * @param selected names of the parts that are meant; empty if nothing is said of them
 * @param cancellable whether the job may be ended because of it; empty if nothing is said of that
 * @param says what the texts must contain, in any language */
record RuleCase(
        String name,
        int line,
        SubjectFacts facts,
        Expect expect,
        Optional<List<String>> selected,
        Optional<Boolean> cancellable,
        List<String> says) {

    /** The verdicts, by name. */
    enum Expect {
        CLEAR,
        FINDING,
        UNKNOWN;

        static Expect of(Verdict verdict) {
            if (verdict instanceof Verdict.Clear) {
                return CLEAR;
            }
            return verdict instanceof Verdict.Finding ? FINDING : UNKNOWN;
        }
    }

    /** Any instant will do: rules know no time of day. */
    private static final Instant TO = Instant.EPOCH;

    /** Reads a case; what it leaves out is as in an ordinary job, and a fact that is null is absent. */
    static Optional<RuleCase> read(YamlBlock block, Rule.Scope scope, Rule.Timing timing) {
        Optional<Text> name = block.text("name");
        Optional<Expect> expect = block.choice("expect", Expect.class);
        Optional<List<String>> selected =
                block.has("selected") ? Optional.of(block.texts("selected")) : Optional.empty();
        Optional<Boolean> cancellable =
                block.has("cancellable") ? Optional.of(block.flag("cancellable", false)) : Optional.empty();
        List<String> says = block.texts("says");
        Optional<? extends SubjectFacts> facts =
                switch (scope) {
                    case RUNNING_JOB -> job(block, timing, false);
                    case FINISHED_JOB -> job(block, timing, true);
                    case PENDING_JOB -> pending(block, timing);
                    case NODE -> node(block, timing);
                    case USER -> user(block, timing);
                };
        block.done();
        if (name.isEmpty() || expect.isEmpty() || facts.isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(new RuleCase(
                name.get().value(), block.line(), facts.get(), expect.get(), selected, cancellable, List.copyOf(says)));
    }

    private static Optional<JobFacts> job(YamlBlock block, Rule.Timing timing, boolean finished) {
        List<GpuFacts> gpus = members(
                block,
                "gpus",
                Vocabulary.GPU,
                GpuFacts.class,
                number -> Map.of("node", "node1", "uuid", "GPU-" + number, "allocated", true, "coverage", 1.0));
        List<JobNode> nodes = members(
                block,
                "nodes",
                Vocabulary.JOB_NODE,
                JobNode.class,
                number -> Map.of("name", "node" + number, "coverage", 1.0));
        Map<String, Object> values = new HashMap<>(submission());
        values.putAll(Map.of(
                "job_id",
                1L,
                "nodes",
                (long) Math.max(1, nodes.size()),
                "elapsed_seconds",
                timing.warmUp().plus(timing.window()).multipliedBy(2).toSeconds(),
                "interactive",
                false,
                "state",
                finished ? "COMPLETED" : "RUNNING",
                "array",
                false,
                "fresh",
                true));
        values.put("gpus_allocated", gpus.stream().filter(GpuFacts::allocated).count());
        YamlBlock job = facts(block, "job", Vocabulary.JOB, values);
        values.putIfAbsent("display_id", String.valueOf(values.get("job_id")));
        long elapsed = values.get("elapsed_seconds") instanceof Long seconds ? seconds : 0;
        Duration length = finished ? Duration.ofSeconds(Math.max(1, elapsed)) : timing.window();
        values.putIfAbsent("window_seconds", Math.min(elapsed, length.toSeconds()));
        Optional<JobAllocation> allocation = build(job, JobAllocation.class, values);
        Optional<JobUse> use = build(job, JobUse.class, values);
        Optional<QueueFacts> queue = queue(block);
        return allocation.isEmpty() || use.isEmpty() || queue.isEmpty()
                ? Optional.empty()
                : Optional.of(
                        new JobFacts(allocation.get(), use.get(), TO.minus(length), TO, gpus, nodes, queue.get()));
    }

    private static Map<String, Object> submission() {
        return Map.of(
                "user",
                "ada",
                "account",
                "lab",
                "partition",
                "batch",
                "qos",
                "normal",
                "name",
                "train",
                "reservation",
                "",
                "comment",
                "");
    }

    private static Optional<QueueFacts> queue(YamlBlock block) {
        Map<String, Object> values = new HashMap<>();
        return build(facts(block, "queue", Vocabulary.QUEUE, values), QueueFacts.class, values);
    }

    private static Optional<PendingFacts> pending(YamlBlock block, Rule.Timing timing) {
        Map<String, Object> values = new HashMap<>(submission());
        values.putAll(Map.of(
                "job_id",
                1L,
                "waiting_seconds",
                timing.warmUp().plusHours(1).toSeconds(),
                "reason",
                "Resources",
                "nodes",
                1L,
                "fresh",
                true));
        YamlBlock job = facts(block, "job", Vocabulary.PENDING_JOB, values);
        values.putIfAbsent("display_id", String.valueOf(values.get("job_id")));
        List<PendingFacts.Place> places = members(
                block,
                "places",
                Vocabulary.PLACE,
                PendingFacts.Place.class,
                number -> Map.of("name", "node" + number, "gpus", 1L, "gpus_free", 0L));
        Optional<PendingFacts.Job> waiting = build(job, PendingFacts.Job.class, values);
        Optional<QueueFacts> queue = queue(block);
        return waiting.isEmpty() || queue.isEmpty()
                ? Optional.empty()
                : Optional.of(new PendingFacts(waiting.get(), TO.minus(timing.window()), TO, places, queue.get()));
    }

    private static Optional<NodeFacts> node(YamlBlock block, Rule.Timing timing) {
        Map<String, Object> values = new HashMap<>(
                Map.of("name", "node1", "state", "mixed", "silent_seconds", 15L, "simulated", false, "fresh", true));
        YamlBlock node = facts(block, "node", Vocabulary.NODE, values);
        List<NodeFacts.Gpu> gpus = members(
                block,
                "gpus",
                Vocabulary.NODE_GPU,
                NodeFacts.Gpu.class,
                number -> Map.of("uuid", "GPU-" + number, "coverage", 1.0));
        List<DirectoryFacts> directories = directories(block);
        return build(node, NodeFacts.Node.class, values)
                .map(known -> new NodeFacts(known, TO.minus(timing.window()), TO, gpus, directories));
    }

    private static Optional<UserFacts> user(YamlBlock block, Rule.Timing timing) {
        List<UserFacts.Job> jobs = members(
                block,
                "jobs",
                Vocabulary.USER_JOB,
                UserFacts.Job.class,
                number -> Map.ofEntries(
                        Map.entry("job_id", (long) number),
                        Map.entry("display_id", String.valueOf(number)),
                        Map.entry("state", "COMPLETED"),
                        Map.entry("partition", "batch"),
                        Map.entry("name", "train"),
                        Map.entry("interactive", false),
                        Map.entry("array", false),
                        Map.entry("nodes", 1L),
                        Map.entry("gpus", 0L),
                        Map.entry("elapsed_seconds", 3600L),
                        Map.entry("period_seconds", 3600L),
                        Map.entry("gpu_seconds_measured", 0.0),
                        Map.entry("gpu_seconds_idle", 0.0),
                        Map.entry("coverage", 1.0)));
        Map<String, Object> values = new HashMap<>(Map.ofEntries(
                Map.entry("name", "ada"),
                Map.entry("account", "lab"),
                Map.entry("jobs_run", (long) jobs.size()),
                Map.entry("gpu_seconds", 0.0),
                Map.entry("gpu_seconds_measured", 0.0),
                Map.entry("gpu_seconds_idle", 0.0),
                Map.entry("coverage", 1.0),
                Map.entry("fresh", true),
                Map.entry("jobs_running", 0L),
                Map.entry("jobs_pending", 0L),
                Map.entry("gpus_held", 0L)));
        YamlBlock user = facts(block, "user", Vocabulary.USER, values);
        List<DirectoryFacts> directories = directories(block);
        Optional<UserFacts.User> known = build(user, UserFacts.User.class, values);
        Optional<UserFacts.Now> now = build(user, UserFacts.Now.class, values);
        return known.isEmpty() || now.isEmpty()
                ? Optional.empty()
                : Optional.of(new UserFacts(known.get(), now.get(), TO.minus(timing.window()), TO, jobs, directories));
    }

    private static List<DirectoryFacts> directories(YamlBlock block) {
        return members(
                block,
                "directories",
                Vocabulary.DIRECTORY,
                DirectoryFacts.class,
                number -> Map.ofEntries(
                        Map.entry("node", "node1"),
                        Map.entry("path", "/raid/ada" + number),
                        Map.entry("owner", "ada"),
                        Map.entry("owner_gone", false),
                        Map.entry("used_bytes", 0L),
                        Map.entry("files", 1L),
                        Map.entry("share_ratio", 0.0),
                        Map.entry("mount_used_ratio", 0.5),
                        Map.entry("counted_seconds", 3600L)));
    }

    /** Reads the facts of the subject; returns where they stand, for problems. */
    private static YamlBlock facts(YamlBlock block, String key, Thing thing, Map<String, Object> values) {
        Optional<YamlBlock> inner = block.block(key);
        inner.ifPresent(known -> override(known, thing, values));
        return inner.orElse(block);
    }

    private static <R extends Record> List<R> members(
            YamlBlock block, String key, Thing thing, Class<R> type, IntFunction<Map<String, Object>> ordinary) {
        List<R> members = new ArrayList<>();
        for (YamlBlock inner : block.blocks(key)) {
            Map<String, Object> values = new HashMap<>(ordinary.apply(members.size() + 1));
            override(inner, thing, values);
            build(inner, type, values).ifPresent(members::add);
        }
        return members;
    }

    /** What is wrong with a verdict; empty if it is as expected. */
    Optional<String> complaint(Verdict verdict) {
        Expect got = Expect.of(verdict);
        if (got != expect) {
            return Optional.of(verdict.toString());
        }
        if (verdict instanceof Verdict.Finding finding) {
            List<String> names =
                    finding.selected().stream().map(Verdict.Selected::name).toList();
            if (selected.isPresent() && !selected.get().equals(names)) {
                return Optional.of("selected " + names);
            }
            if (cancellable.isPresent() && cancellable.get() != finding.cancellable()) {
                return Optional.of("cancellable " + finding.cancellable());
            }
            StringBuilder text = new StringBuilder(finding.summary() + "\n" + finding.fix());
            finding.translations().values().forEach(said -> text.append("\n" + said.summary() + "\n" + said.fix()));
            return says.stream()
                    .filter(words -> text.indexOf(words) < 0)
                    .findFirst()
                    .map(words -> "the text does not say \"" + words + "\": " + text);
        }
        return Optional.empty();
    }

    /** What is expected, in words. */
    String expectation() {
        return expect
                + selected.map(names -> " of " + names).orElse("")
                + cancellable
                        .map(yes -> yes ? " cancellable" : " not cancellable")
                        .orElse("")
                + (says.isEmpty() ? "" : " saying " + says);
    }

    private static void override(YamlBlock block, Thing thing, Map<String, Object> values) {
        for (Entry entry : block.all()) {
            Fact fact = thing.facts().get(entry.key());
            if (fact == null) {
                block.problem(
                        entry.line(),
                        "unknown fact " + entry.key(),
                        "one of " + String.join(", ", thing.facts().keySet()));
            } else if (YamlBlock.isNull(entry.value()) && fact.optional()) {
                values.remove(entry.key());
            } else {
                ParameterType type = typeOf(fact);
                Optional<Object> value = block.value(entry.value()).flatMap(type::accept);
                value.ifPresentOrElse(known -> values.put(entry.key(), known), () -> block.wrong(entry, type.words()));
            }
        }
    }

    private static ParameterType typeOf(Fact fact) {
        if (fact.type().equals(SimpleType.INT)) {
            return ParameterType.INT;
        }
        if (fact.type().equals(SimpleType.DOUBLE)) {
            return ParameterType.DOUBLE;
        }
        if (fact.type().equals(SimpleType.BOOL)) {
            return ParameterType.BOOL;
        }
        return fact.type().equals(SimpleType.STRING) ? ParameterType.TEXT : ParameterType.TEXTS;
    }

    private static <R extends Record> Optional<R> build(YamlBlock block, Class<R> type, Map<String, Object> values) {
        try {
            return Optional.of(Vocabulary.build(type, values));
        } catch (IllegalArgumentException | ArithmeticException e) {
            block.problem(block.line(), String.valueOf(e.getMessage()), "facts within their ranges");
            return Optional.empty();
        }
    }
}
