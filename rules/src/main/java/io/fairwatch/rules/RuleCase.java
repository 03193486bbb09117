package io.fairwatch.rules;

import dev.cel.common.types.SimpleType;
import io.fairwatch.rules.Vocabulary.Fact;
import io.fairwatch.rules.Vocabulary.Thing;
import io.fairwatch.rules.YamlBlock.Entry;
import io.fairwatch.rules.YamlBlock.Text;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** One line of a rule's table: these facts, this verdict. Immutable.
 *
 * @param name what it shows, in words
 * @param line where it starts in the file
 * @param facts what is known
 * @param expect the verdict
 * @param selected UUIDs of the GPUs that are meant; empty if nothing is said of them
 * @param says what the texts must contain */
record RuleCase(
        String name, int line, JobFacts facts, Expect expect, Optional<List<String>> selected, List<String> says) {

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
    static Optional<RuleCase> read(YamlBlock block, Rule.Timing timing) {
        Optional<Text> name = block.text("name");
        Optional<Expect> expect = block.choice("expect", Expect.class);
        Optional<List<String>> selected =
                block.has("selected") ? Optional.of(block.texts("selected")) : Optional.empty();
        List<String> says = block.texts("says");

        List<GpuFacts> gpus = new ArrayList<>();
        for (YamlBlock gpu : block.blocks("gpus")) {
            Map<String, Object> values = new HashMap<>(
                    Map.of("node", "node1", "uuid", "GPU-" + (gpus.size() + 1), "allocated", true, "coverage", 1.0));
            override(gpu, Vocabulary.GPU, values);
            build(gpu, GpuFacts.class, values).ifPresent(gpus::add);
        }
        Map<String, Object> values = new HashMap<>(Map.of(
                "job_id",
                1L,
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
                "nodes",
                1L,
                "elapsed_seconds",
                timing.warmUp().plus(timing.window()).multipliedBy(2).toSeconds(),
                "interactive",
                false,
                "fresh",
                true));
        values.put("gpus_allocated", gpus.stream().filter(GpuFacts::allocated).count());
        YamlBlock job = block.block("job").orElse(block);
        if (job != block) {
            override(job, Vocabulary.JOB, values);
        }
        values.putIfAbsent("display_id", String.valueOf(values.get("job_id")));
        Optional<JobAllocation> allocation = build(job, JobAllocation.class, values);
        Optional<JobUse> use = build(job, JobUse.class, values);
        block.done();
        if (name.isEmpty() || expect.isEmpty() || allocation.isEmpty() || use.isEmpty()) {
            return Optional.empty();
        }
        JobFacts facts = new JobFacts(allocation.get(), use.get(), TO.minus(timing.window()), TO, gpus);
        return Optional.of(
                new RuleCase(name.get().value(), block.line(), facts, expect.get(), selected, List.copyOf(says)));
    }

    /** What is wrong with a verdict; empty if it is as expected. */
    Optional<String> complaint(Verdict verdict) {
        Expect got = Expect.of(verdict);
        if (got != expect) {
            return Optional.of(verdict.toString());
        }
        if (verdict instanceof Verdict.Finding finding) {
            List<String> uuids = finding.selected().stream()
                    .map(gpu -> gpu.uuid().orElse("(not known)"))
                    .toList();
            if (selected.isPresent() && !selected.get().equals(uuids)) {
                return Optional.of("selected " + uuids);
            }
            String text = finding.summary() + "\n" + finding.fix();
            return says.stream()
                    .filter(words -> !text.contains(words))
                    .findFirst()
                    .map(words -> "the text does not say \"" + words + "\": " + text);
        }
        return Optional.empty();
    }

    /** What is expected, in words. */
    String expectation() {
        return expect + selected.map(uuids -> " of " + uuids).orElse("") + (says.isEmpty() ? "" : " saying " + says);
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
        return fact.type().equals(SimpleType.BOOL) ? ParameterType.BOOL : ParameterType.TEXT;
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
