package io.fairwatch.collector.slurm;

import com.fasterxml.jackson.databind.JsonNode;
import io.fairwatch.collector.slurm.SlurmActions.Target;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import io.fairwatch.collector.slurm.SlurmControl.Look;
import io.fairwatch.collector.slurm.SlurmControl.Order;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/** Looks and acts by slurmrestd, which answers 200 with errors in its answer. Thread-safe. */
record RestHand(SlurmRest rest, InstantSource clock) implements SlurmControl.Hand {
    private static final Set<String> FIELDS =
            Set.of("job_id", "job_state", "priority", "qos", "start_time", "time_limit", "user_id", "user_name");

    @Override
    public List<Look> look(long jobId) throws SlurmException, InterruptedException {
        return rest.get("slurm", "job/" + jobId, answer -> {
            List<Look> looks = new ArrayList<>();
            SlurmJson.read("slurmrestd", answer, FIELDS, Map.of("jobs", job -> looks.add(look(job))));
            return looks;
        });
    }

    private Look look(JsonNode job) {
        String state = String.join("+", SlurmJson.words(job, "job_state"));
        Optional<Instant> start = SlurmJson.time(job, "start_time");
        OptionalLong limit = SlurmJson.number(job, "time_limit");
        String user = SlurmJson.text(job, "user_name");
        return new Look(
                SlurmJson.number(job, "job_id").orElse(-1),
                user.isEmpty() ? SlurmJson.text(job, "user_id") : user,
                state,
                start,
                start.map(since -> Duration.between(since, clock.instant())).filter(used -> !used.isNegative()),
                limit.isPresent() ? Optional.of(Duration.ofMinutes(limit.getAsLong())) : Optional.empty(),
                SlurmJson.number(job, "priority").orElse(-1),
                SlurmJson.text(job, "qos"));
    }

    @Override
    public void tell(Order order, Target target) throws SlurmException, InterruptedException {
        if (order instanceof Order.Cancel) {
            send("DELETE", target, Optional.empty());
        } else if (order instanceof Order.Hold) {
            send("POST", target, Optional.of("{\"priority\": 0}"));
        } else if (order instanceof Order.TimeLimit limit) {
            send("POST", target, Optional.of("{\"time_limit\": " + limit.minutes() + "}"));
        } else if (order instanceof Order.Qos qos) {
            send("POST", target, Optional.of("{\"qos\": \"" + qos.name() + "\"}")); // a name, checked before
        } else {
            throw new SlurmException("slurmrestd requeues no job; this takes scontrol");
        }
    }

    private void send(String method, Target target, Optional<String> body) throws SlurmException, InterruptedException {
        String path = "job/" + target.name().replace("+", "%2B");
        rest.change(method, path, body, answer -> SlurmJson.read("slurmrestd", answer, Set.of(), Map.of()));
    }
}
