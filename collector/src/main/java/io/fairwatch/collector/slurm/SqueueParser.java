package io.fairwatch.collector.slurm;

import com.fasterxml.jackson.databind.JsonNode;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.AllocatedGpu.Confidence;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * Reads what {@code squeue --json} prints. Recorded: 22.05. By the parser tables of the tagged sources only: 23.02 to 26.05.
 * Stateless.
 */
public final class SqueueParser {
    /**
     * All partitions, hidden ones too, and all states: 22.05 ignores the latter and tells every job that the controller
     * still remembers; from 24.05.1 on only what is asked for is told.
     */
    static final List<String> ARGUMENTS = List.of("--all", "--states=all", "--json");

    /** All fields of a job that are asked for below. */
    private static final Set<String> FIELDS = Set.of(
            "account",
            "array_job_id",
            "array_task_id",
            "array_task_string",
            "batch_flag",
            "comment",
            "cpus",
            "eligible_time",
            "end_time",
            "gres_detail",
            "het_job_id",
            "het_job_offset",
            "job_id",
            "job_resources",
            "job_state",
            "name",
            "nodes",
            "partition",
            "pre_sus_time",
            "qos",
            "resize_time",
            "resv_name",
            "start_time",
            "state_reason",
            "submit_time",
            "suspend_time",
            "time_limit",
            "tres_alloc_str",
            "tres_req_str",
            "user_id",
            "user_name");

    private SqueueParser() {}

    /**
     * One answer.
     *
     * @param runs jobs that hold an allocation, and those that Slurm remembers after their end
     * @param pending jobs that wait
     * @param problems what could not be read, one sentence each, with the job's id; such a job is left out unless its
     *     sentence says otherwise
     * @param release Slurm's release, e.g. {@code 22.05.8}; absent if not told
     */
    public record Jobs(List<Run> runs, List<PendingJob> pending, List<String> problems, Optional<String> release) {
        public Jobs {
            runs = List.copyOf(runs);
            pending = List.copyOf(pending);
            problems = List.copyOf(problems);
        }
    }

    /**
     * Reads a whole answer, job by job as it comes.
     *
     * @param cluster Slurm's {@code ClusterName}
     * @param at when it was asked
     * @param keep called for each run as it is read; what it returns is kept. Most of a large cluster's jobs are told again
     *     and again without a change: what is known of them need not be kept twice
     * @throws SlurmException if the answer is not whole, or carries errors: its list then says nothing, even if empty
     */
    public static Jobs parse(InputStream output, String cluster, Instant at, UnaryOperator<Run> keep)
            throws SlurmException, IOException {
        Reader reader = new Reader(cluster, at, keep);
        Optional<String> release = SlurmJson.read("squeue", output, FIELDS, Map.of("jobs", reader::job));
        return new Jobs(reader.runs, reader.pending, reader.problems, release);
    }

    /** Collects the jobs of one answer. Confined to one call. */
    private static final class Reader {
        final String cluster;
        final Instant at;
        final UnaryOperator<Run> keep;
        final List<Run> runs = new ArrayList<>();
        final List<PendingJob> pending = new ArrayList<>();
        final List<String> problems = new ArrayList<>();

        /** Tens of thousands of jobs share few users, accounts, nodes and sizes: each such text is kept once. */
        final Map<String, String> once = new HashMap<>();

        Reader(String cluster, Instant at, UnaryOperator<Run> keep) {
            this.cluster = cluster;
            this.at = at;
            this.keep = keep;
        }

        /** A job that cannot be read costs only itself. */
        void job(JsonNode job) {
            try {
                read(job);
            } catch (IllegalArgumentException e) {
                problem(job, String.valueOf(e.getMessage()));
            } catch (RuntimeException bug) {
                problem(job, "a bug: " + bug);
            }
        }

        void problem(JsonNode job, String what) {
            OptionalLong id = SlurmJson.number(job, "job_id");
            problems.add("job " + (id.isPresent() ? Long.toString(id.getAsLong()) : "without id") + ": " + what);
        }

        private void read(JsonNode job) {
            List<String> words = SlurmJson.words(job, "job_state");
            if (words.isEmpty()) {
                throw new IllegalArgumentException("has no job_state");
            }
            if (words.contains("POWER_UP_NODE")) {
                return; // its start is set anew when its nodes have booted: this would be a run that never ends
            }
            switch (state(words)) {
                case PENDING, REQUEUED, SPECIAL_EXIT -> pending.add(pendingJob(job));
                case CONFIGURING, RUNNING, SUSPENDED, RESIZING, STOPPED ->
                    runs.add(keep.apply(run(job, words, Optional.empty())));
                case COMPLETING -> {
                    if (hasRun(job)) {
                        // Until Slurm has set it, the end is the one that the time limit foresees.
                        runs.add(keep.apply(
                                run(job, words, SlurmJson.time(job, "end_time").filter(end -> !end.isAfter(at)))));
                    } else if (words.contains("PENDING")) {
                        pending.add(pendingJob(job));
                    }
                }
                case COMPLETED,
                        CANCELLED,
                        FAILED,
                        TIMEOUT,
                        OUT_OF_MEMORY,
                        NODE_FAIL,
                        BOOT_FAIL,
                        DEADLINE,
                        PREEMPTED -> {
                    if (hasRun(job)) {
                        Optional<Instant> end = SlurmJson.time(job, "end_time");
                        if (end.isEmpty()) {
                            throw new IllegalArgumentException("has ended without end_time");
                        }
                        runs.add(keep.apply(run(job, words, end)));
                    } // else cancelled while it waited
                }
                case REVOKED -> {} // runs on another cluster of the federation
                case UNRECOGNIZED -> {
                    if (!hasRun(job) || nodesOf(job).isEmpty()) {
                        throw new IllegalArgumentException("has the state " + words + ", which is not known");
                    }
                    problem(job, "has the state " + words + ", which is not known; kept as a running one");
                    runs.add(keep.apply(run(job, words, Optional.empty())));
                }
            }
        }

        /**
         * One state for Slurm's base state and flags. Up to 23.02 Slurm tells one word, in which a flag hides the base
         * state; later both, the base state first.
         */
        private static JobState state(List<String> words) {
            for (JobState flag : List.of(
                    JobState.COMPLETING, JobState.CONFIGURING, JobState.RESIZING, JobState.STOPPED, JobState.REVOKED)) {
                if (words.contains(flag.name())) {
                    return flag;
                }
            }
            String word = words.get(0);
            return switch (word) {
                // its processes have ended, its files are being moved
                case "STAGE_OUT" -> JobState.COMPLETING;
                // a signal is on its way
                case "SIGNALING" -> JobState.RUNNING;
                case "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD" -> JobState.PENDING;
                default -> JobState.parse(word);
            };
        }

        private String once(String text) {
            String known = once.putIfAbsent(text, text);
            return known == null ? text : known;
        }

        private static boolean hasRun(JsonNode job) {
            return SlurmJson.time(job, "start_time").isPresent()
                    && !SlurmJson.text(job, "nodes").isBlank();
        }

        private PendingJob pendingJob(JsonNode job) {
            long id = jobId(job);
            OptionalLong array = positive(job, "array_job_id");
            OptionalLong task = SlurmJson.number(job, "array_task_id");
            OptionalLong het = positive(job, "het_job_id");
            String tasks = SlurmJson.text(job, "array_task_string");
            String display = Long.toString(id);
            if (array.isPresent() && !tasks.isEmpty()) {
                display = array.getAsLong() + "_[" + tasks + "]";
            } else if (array.isPresent() && task.isPresent()) {
                display = array.getAsLong() + "_" + task.getAsLong();
            } else if (het.isPresent()) {
                display = het.getAsLong() + "+"
                        + SlurmJson.number(job, "het_job_offset").orElse(0);
            }
            return new PendingJob(
                    cluster,
                    id,
                    display,
                    owner(job),
                    SlurmJson.text(job, "name"),
                    submit(job),
                    SlurmJson.text(job, "state_reason"),
                    SlurmJson.text(job, "tres_req_str"),
                    said(job, "comment"),
                    said(job, "resv_name").map(this::once));
        }

        private Run run(JsonNode job, List<String> words, Optional<Instant> end) {
            Instant first = SlurmJson.time(job, "start_time")
                    .orElseThrow(() -> new IllegalArgumentException("is " + words + " without start_time"));
            List<String> nodes = nodesOf(job).stream().map(this::once).toList();
            if (nodes.isEmpty()) {
                throw new IllegalArgumentException("is " + words + " without nodes");
            }
            Instant start = SlurmJson.time(job, "resize_time")
                    .filter(resized -> resized.isAfter(first) && !resized.isAfter(at))
                    .orElse(first);
            OptionalLong array = positive(job, "array_job_id");
            OptionalLong het = positive(job, "het_job_id");
            List<AllocatedGpu> gpus = gpus(job, nodes);
            JsonNode batch = job.path("batch_flag");
            OptionalLong minutes = SlurmJson.number(job, "time_limit");
            return new Run(
                    new RunKey(cluster, jobId(job), start),
                    new Run.JobIds(
                            array,
                            array.isPresent() ? SlurmJson.number(job, "array_task_id") : OptionalLong.empty(),
                            het,
                            het.isPresent() ? SlurmJson.integer(job, "het_job_offset") : OptionalInt.empty()),
                    owner(job),
                    SlurmJson.text(job, "name"),
                    !batch.isMissingNode() && !batch.isNull() && !batch.asBoolean(true),
                    submit(job),
                    end,
                    minutes.isPresent() ? Optional.of(Duration.ofMinutes(minutes.getAsLong())) : Optional.empty(),
                    suspended(job, first, words),
                    state(words),
                    once(String.join("+", words)),
                    allocation(job, nodes, gpus.size()),
                    gpus,
                    at,
                    new Run.Also(
                            SlurmJson.time(job, "eligible_time"),
                            resumed(job, first, words),
                            said(job, "comment"),
                            said(job, "resv_name").map(this::once)));
        }

        /**
         * Slurm tells no sum of suspensions, but {@code pre_sus_time}, the seconds that the job had run when it was
         * suspended last, and {@code suspend_time}, when it was suspended or, once it runs again, resumed last. What
         * passed since its start and was no running is suspension. For a job that ended while suspended this leaves out
         * the last one, until accounting tells the sum.
         */
        private Duration suspended(JsonNode job, Instant start, List<String> words) {
            Optional<Instant> changed = SlurmJson.time(job, "suspend_time");
            if (changed.isEmpty()) {
                return Duration.ZERO;
            }
            Instant until = words.contains("SUSPENDED") ? at : changed.get();
            Duration suspended = Duration.between(start, until)
                    .minusSeconds(SlurmJson.number(job, "pre_sus_time").orElse(0));
            return suspended.isNegative() ? Duration.ZERO : Duration.ofSeconds(suspended.toSeconds());
        }

        /** Once a suspended job runs again, {@code suspend_time} is when it was resumed. */
        private static Optional<Instant> resumed(JsonNode job, Instant start, List<String> words) {
            return words.contains("SUSPENDED")
                    ? Optional.empty()
                    : SlurmJson.time(job, "suspend_time").filter(changed -> !changed.isBefore(start));
        }

        private static Optional<String> said(JsonNode job, String field) {
            String text = SlurmJson.text(job, field);
            return text.isEmpty() ? Optional.empty() : Optional.of(text);
        }

        private Run.Allocation allocation(JsonNode job, List<String> nodes, int indexedGpus) {
            String text = once(withParts(SlurmJson.text(job, "tres_alloc_str"), job.path("gres_detail")));
            Tres tres = Tres.parse(text);
            OptionalInt gpus = tres.gpus();
            if (gpus.orElse(0) == 0 && indexedGpus > 0) {
                // A cluster without gres/gpu in AccountingStorageTRES tells GPUs only by their numbers.
                gpus = OptionalInt.of(indexedGpus);
            }
            OptionalInt cpus = tres.cpus();
            return new Run.Allocation(
                    nodes, cpus.isPresent() ? cpus : SlurmJson.integer(job, "cpus"), tres.memoryBytes(), gpus, text);
        }

        /** Shards and MPS are TRES only where they are accounted; a text that cannot be read is {@link #gpus}'s matter. */
        private static String withParts(String tres, JsonNode details) {
            if (tres.isEmpty() || tres.contains("gres/shard") || tres.contains("gres/mps")) {
                return tres;
            }
            Map<String, Long> parts = new TreeMap<>();
            try {
                for (JsonNode detail : details) {
                    Gres.parse(detail.asText("")).stream()
                            .filter(Gres::isPart)
                            .forEach(gres -> parts.merge(gres.name(), gres.count(), Long::sum));
                }
            } catch (IllegalArgumentException e) {
                return tres;
            }
            StringBuilder text = new StringBuilder(tres);
            parts.forEach((name, count) ->
                    text.append(",gres/").append(name).append('=').append(count));
            return text.toString();
        }

        /**
         * The GPUs of {@code gres_detail}, which has one text for each node, in the order of {@code job_resources}. They
         * are gone as soon as the job ends.
         */
        private List<AllocatedGpu> gpus(JsonNode job, List<String> nodes) {
            JsonNode details = job.path("gres_detail");
            List<AllocatedGpu> gpus = new ArrayList<>();
            if (!details.isArray() || details.isEmpty()) {
                return gpus;
            }
            if (details.size() != nodes.size()) {
                problem(
                        job,
                        "gres_detail has " + details.size() + " entries (expected: " + nodes.size()
                                + ", one for each node); kept without GPU numbers");
                return gpus;
            }
            try {
                for (int i = 0; i < nodes.size(); i++) {
                    for (Gres gres : Gres.parse(details.get(i).asText(""))) {
                        if (gres.isGpu()) {
                            for (int index : gres.indexes()) {
                                gpus.add(new AllocatedGpu(
                                        nodes.get(i),
                                        index,
                                        gres.type().map(this::once),
                                        Optional.empty(),
                                        Confidence.UNKNOWN));
                            }
                        }
                    }
                }
                return gpus;
            } catch (IllegalArgumentException e) {
                problem(job, e.getMessage() + "; kept without GPU numbers");
                return List.of();
            }
        }

        /**
         * Its nodes in the order of {@code gres_detail}: 22.05 to 23.11 {@code job_resources.allocated_nodes[].nodename},
         * from 24.05 on {@code job_resources.nodes.allocation[].name} or {@code .list}. Ended jobs have only
         * {@code nodes}, whose order may be another.
         */
        private static List<String> nodesOf(JsonNode job) {
            JsonNode resources = job.path("job_resources");
            List<Function<JsonNode, List<String>>> places = List.of(
                    r -> names(r.path("allocated_nodes"), "nodename", "name"),
                    r -> names(r.path("nodes").path("allocation"), "name", "nodename"),
                    r -> Hostlist.expand(SlurmJson.text(r.path("nodes"), "list")),
                    r -> Hostlist.expand(SlurmJson.text(r, "nodes")));
            for (Function<JsonNode, List<String>> place : places) {
                List<String> nodes = place.apply(resources);
                if (!nodes.isEmpty()) {
                    return nodes;
                }
            }
            return Hostlist.expand(SlurmJson.text(job, "nodes"));
        }

        /** The names in a list of objects; none unless each has one. */
        private static List<String> names(JsonNode list, String field, String otherField) {
            List<String> names = new ArrayList<>();
            if (list.isArray()) {
                for (JsonNode element : list) {
                    String name = SlurmJson.text(element, field);
                    name = name.isEmpty() ? SlurmJson.text(element, otherField) : name;
                    if (name.isEmpty()) {
                        return List.of();
                    }
                    names.add(name);
                }
            }
            return names;
        }

        private Run.Owner owner(JsonNode job) {
            OptionalInt uid = SlurmJson.integer(job, "user_id");
            String user = SlurmJson.text(job, "user_name");
            if (user.isEmpty()) {
                if (uid.isEmpty()) {
                    throw new IllegalArgumentException("has neither user_name nor user_id");
                }
                user = Integer.toString(uid.getAsInt());
            }
            return new Run.Owner(
                    once(user),
                    uid,
                    once(SlurmJson.text(job, "account")),
                    once(SlurmJson.text(job, "partition")),
                    once(SlurmJson.text(job, "qos")));
        }

        private static long jobId(JsonNode job) {
            OptionalLong id = positive(job, "job_id");
            if (id.isEmpty()) {
                throw new IllegalArgumentException("job_id: " + job.path("job_id") + " (expected: 1 or more)");
            }
            return id.getAsLong();
        }

        private static Instant submit(JsonNode job) {
            return SlurmJson.time(job, "submit_time")
                    .orElseThrow(() -> new IllegalArgumentException("has no submit_time"));
        }

        private static OptionalLong positive(JsonNode job, String field) {
            OptionalLong number = SlurmJson.number(job, field);
            return number.isPresent() && number.getAsLong() > 0 ? number : OptionalLong.empty();
        }
    }
}
