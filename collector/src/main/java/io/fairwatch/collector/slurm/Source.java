package io.fairwatch.collector.slurm;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;

/** Where Slurm's answers about jobs and nodes come from. Every call blocks, with a deadline and a limit on the answer. */
interface Source {
    /**
     * Every job that the controller remembers, at {@code at}.
     *
     * @param keep called for each run that was read; what it returns is kept
     */
    SqueueParser.Jobs jobs(String cluster, Instant at, UnaryOperator<Run> keep)
            throws SlurmException, InterruptedException;

    /**
     * Every node.
     *
     * @param release Slurm's release, as {@link #jobs} told it
     */
    SinfoParser.Nodes nodes(Optional<String> release) throws SlurmException, InterruptedException;

    /** Every record of accounting that was eligible before {@code to} and had not ended at {@code from}. */
    SacctParser.Ended ended(String cluster, Instant from, Instant to, Instant now)
            throws SlurmException, InterruptedException;

    /** All records of accounting about these jobs, whenever they ran. */
    SacctParser.Ended ended(String cluster, List<Long> ids, Instant now) throws SlurmException, InterruptedException;

    /** The source that settings name. */
    static Source of(SlurmSettings settings) {
        return settings.rest().isPresent()
                ? new RestSource(new SlurmRest(settings, settings.rest().get()))
                : new CommandSource(new SlurmCommand(settings));
    }
}
