package io.fairwatch.collector.slurm;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;

/** Slurm's answers by its commands. Immutable and thread-safe. */
record CommandSource(SlurmCommand command) implements Source {
    private static final SecureRandom RANDOM = new SecureRandom();

    @Override
    public SqueueParser.Jobs jobs(String cluster, Instant at, UnaryOperator<Run> keep)
            throws SlurmException, InterruptedException {
        return command.run("squeue", SqueueParser.ARGUMENTS, printed -> SqueueParser.parse(printed, cluster, at, keep));
    }

    @Override
    public SinfoParser.Nodes nodes(Optional<String> release) throws SlurmException, InterruptedException {
        List<String> words = SinfoParser.command(release);
        return command.run(words.get(0), words.subList(1, words.size()), SinfoParser::parse);
    }

    @Override
    public SacctParser.Ended ended(String cluster, Instant from, Instant to, Instant now)
            throws SlurmException, InterruptedException {
        SacctParser parser = new SacctParser(nonce());
        return command.run("sacct", parser.window(from, to, now), printed -> parser.parse(printed, cluster, now));
    }

    @Override
    public SacctParser.Ended ended(String cluster, List<Long> ids, Instant now)
            throws SlurmException, InterruptedException {
        SacctParser parser = new SacctParser(nonce());
        return command.run("sacct", parser.jobs(ids), printed -> parser.parse(printed, cluster, now));
    }

    private static String nonce() {
        return Long.toString(RANDOM.nextLong() & Long.MAX_VALUE, Character.MAX_RADIX);
    }
}
