package io.fairwatch.collector.slurm;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * Slurm's answers by slurmrestd: the same JSON as that of the commands, so the same readers. Accounting's answers hold every
 * step, which makes them forty times as long as sacct's. Thread-safe.
 */
record RestSource(SlurmRest rest) implements Source {
    @Override
    public SqueueParser.Jobs jobs(String cluster, Instant at, UnaryOperator<Run> keep)
            throws SlurmException, InterruptedException {
        return rest.get("slurm", "jobs", answer -> SqueueParser.parse(answer, cluster, at, keep));
    }

    @Override
    public SinfoParser.Nodes nodes(Optional<String> release) throws SlurmException, InterruptedException {
        return rest.get("slurm", "nodes", SinfoParser::parse);
    }

    @Override
    public SacctParser.Ended ended(String cluster, Instant from, Instant to, Instant now)
            throws SlurmException, InterruptedException {
        String until = to.isBefore(now) ? "&end_time=uts" + to.getEpochSecond() : "";
        return rest.get(
                "slurmdb",
                "jobs?start_time=uts" + from.getEpochSecond() + until,
                answer -> DbJobParser.parse(answer, cluster, now));
    }

    @Override
    public SacctParser.Ended ended(String cluster, List<Long> ids, Instant now)
            throws SlurmException, InterruptedException {
        SacctParser.Ended all = new SacctParser.Ended(List.of(), 0, List.of());
        int failed = 0;
        for (long id : ids) {
            try {
                all = joined(all, rest.get("slurmdb", "job/" + id, answer -> DbJobParser.parse(answer, cluster, now)));
            } catch (SlurmException e) { // of one that accounting does not know, or does not know yet
                failed++;
                if (failed == ids.size()) {
                    throw e;
                }
                all = joined(all, new SacctParser.Ended(List.of(), 0, List.of("job " + id + ": " + e.getMessage())));
            }
        }
        return all;
    }

    private static SacctParser.Ended joined(SacctParser.Ended a, SacctParser.Ended b) {
        var runs = new ArrayList<>(a.runs());
        runs.addAll(b.runs());
        var problems = new ArrayList<>(a.problems());
        problems.addAll(b.problems());
        return new SacctParser.Ended(runs, a.rows() + b.rows(), problems);
    }
}
