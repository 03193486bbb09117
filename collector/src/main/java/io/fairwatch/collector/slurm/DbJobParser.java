package io.fairwatch.collector.slurm;

import com.fasterxml.jackson.databind.JsonNode;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Reads how jobs ended from the JSON of slurmdbd, as slurmrestd's {@code /slurmdb/.../jobs} and {@code sacct --json} give it.
 * Jobs that still run, or never started, are left out, as in {@link SacctParser}. Recorded: 22.05; newer versions by the
 * parser tables of the tagged sources only. Stateless.
 */
final class DbJobParser {
    /** Not among them: steps, nine tenths of a job's record. */
    private static final Set<String> FIELDS = Set.of(
            "account",
            "array",
            "association",
            "het",
            "job_id",
            "kill_request_user",
            "name",
            "nodes",
            "partition",
            "qos",
            "reservation",
            "state",
            "time",
            "tres",
            "user");

    private DbJobParser() {}

    static SacctParser.Ended parse(InputStream answer, String cluster, Instant at) throws SlurmException, IOException {
        List<Run> runs = new ArrayList<>();
        List<String> problems = new ArrayList<>();
        int[] count = new int[1];
        SlurmJson.read("slurmdbd", answer, FIELDS, Map.of("jobs", job -> {
            count[0]++;
            try {
                run(job, cluster, at).ifPresent(runs::add);
            } catch (IllegalArgumentException e) {
                problems.add(name(job) + e.getMessage());
            } catch (RuntimeException bug) {
                problems.add(name(job) + "a bug: " + bug);
            }
        }));
        return new SacctParser.Ended(runs, count[0], problems);
    }

    private static String name(JsonNode job) {
        OptionalLong id = SlurmJson.number(job, "job_id");
        return "job " + (id.isPresent() ? Long.toString(id.getAsLong()) : "without id") + " in accounting: ";
    }

    private static Optional<Run> run(JsonNode job, String cluster, Instant at) {
        JsonNode time = job.path("time");
        Optional<Instant> start = SlurmJson.time(time, "start");
        Optional<Instant> end = SlurmJson.time(time, "end");
        String nodeList = SlurmJson.text(job, "nodes");
        List<String> nodes = nodeList.equals("None assigned") ? List.of() : Hostlist.expand(nodeList);
        if (start.isEmpty() || end.isEmpty() || nodes.isEmpty()) {
            return Optional.empty(); // waits, runs, or was cancelled while it waited
        }
        OptionalLong id = SlurmJson.number(job, "job_id");
        if (id.isEmpty()) {
            throw new IllegalArgumentException("has no job_id");
        }
        OptionalLong array = positive(job.path("array"), "job_id");
        OptionalLong het = positive(job.path("het"), "job_id");
        String user = SlurmJson.text(job, "user");
        user = user.isEmpty() ? SlurmJson.text(job.path("association"), "user") : user;
        if (user.isEmpty()) {
            throw new IllegalArgumentException("has no user");
        }
        List<String> states = SlurmJson.words(job.path("state"), "current");
        if (states.isEmpty()) {
            throw new IllegalArgumentException("has no state");
        }
        String killer = SlurmJson.text(job, "kill_request_user");
        String stateText = String.join("+", states) + (killer.isEmpty() ? "" : " by " + killer);
        String tresText = tres(job.path("tres").path("allocated"));
        Tres tres = Tres.parse(tresText);
        OptionalLong limit = SlurmJson.number(time, "limit");
        return Optional.of(new Run(
                new RunKey(cluster, id.getAsLong(), start.get()),
                new Run.JobIds(
                        array,
                        array.isPresent() ? SlurmJson.number(job.path("array"), "task_id") : OptionalLong.empty(),
                        het,
                        het.isPresent() ? SlurmJson.integer(job.path("het"), "job_offset") : OptionalInt.empty()),
                new Run.Owner(
                        user,
                        OptionalInt.empty(),
                        SlurmJson.text(job, "account"),
                        SlurmJson.text(job, "partition"),
                        SlurmJson.text(job, "qos")),
                SlurmJson.text(job, "name"),
                false,
                SlurmJson.time(time, "submission").orElse(Instant.EPOCH),
                end,
                limit.isPresent() ? Optional.of(Duration.ofMinutes(limit.getAsLong())) : Optional.empty(),
                Duration.ofSeconds(SlurmJson.number(time, "suspended").orElse(0)),
                JobState.parse(states.get(0)),
                stateText,
                new Run.Allocation(nodes, tres.cpus(), tres.memoryBytes(), tres.gpus(), tresText),
                List.of(),
                at,
                new Run.Also(
                        SlurmJson.time(time, "eligible"),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.of(SlurmJson.text(job.path("reservation"), "name"))
                                .filter(reservation -> !reservation.isEmpty() && !reservation.equals("0")))));
    }

    private static OptionalLong positive(JsonNode object, String field) {
        OptionalLong number = SlurmJson.number(object, field);
        return number.isPresent() && number.getAsLong() > 0 ? number : OptionalLong.empty();
    }

    /**
     * Slurm's own text from {@code [{"type": "gres", "name": "gpu:v100", "id": 1002, "count": 2}, ...]}; memory is counted in
     * MiB.
     */
    private static String tres(JsonNode allocated) {
        List<String> entries = new ArrayList<>();
        for (JsonNode one : allocated) {
            String type = SlurmJson.text(one, "type");
            String name = SlurmJson.text(one, "name");
            OptionalLong count = SlurmJson.number(one, "count");
            if (!type.isEmpty() && count.isPresent()) {
                entries.add((name.isEmpty() ? type : type + "/" + name) + "=" + count.getAsLong()
                        + (type.equals("mem") ? "M" : ""));
            }
        }
        return String.join(",", entries);
    }
}
