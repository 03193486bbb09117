package io.fairwatch.collector.notice;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.JobUse;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One run that a letter is about, with all that was found of it. Immutable.
 *
 * @param run the run
 * @param findings what was found, at least one
 * @param use what it did with its GPUs lately, all over the same interval
 * @param whole the same since it began
 * @param job what else it did since it began; absent if its node never told
 * @param strips how busy its GPUs were over the interval of {@code use}, by node and UUID; those not known are left out
 * @param course what went before and what comes next
 */
public record Matter(
        Run run,
        List<FindingRow> findings,
        List<GpuUse> use,
        List<GpuUse> whole,
        Optional<JobUse> job,
        Map<Gpu, Strip> strips,
        Course course) {
    public Matter {
        findings = List.copyOf(findings);
        use = List.copyOf(use);
        whole = List.copyOf(whole);
        strips = Map.copyOf(strips);
    }

    /** A GPU of a node. */
    public record Gpu(String node, String uuid) {}

    /**
     * What went before and what comes next. Immutable.
     *
     * @param toldAt when the owner was told before; absent: never
     * @param next what Fairwatch will do, each deed once with its earliest time
     * @param answer where the owner can answer; absent: nowhere
     */
    public record Course(Optional<Instant> toldAt, List<Next> next, Optional<Answering> answer) {
        public static final Course NONE = new Course(Optional.empty(), List.of(), Optional.empty());

        public Course {
            next = List.copyOf(next);
        }
    }

    /** A deed and the earliest time for it. */
    public record Next(String deed, Instant notBefore) {}

    /** Where the owner can answer, and until when. */
    public record Answering(URI link, Instant until) {}

    /** Something else that a letter is about: a waiting job, a node, a user. Immutable. */
    public record Other(FindingRow finding, Course course) {}

    /** The same with strips. */
    Matter with(Map<Gpu, Strip> others) {
        return new Matter(run, findings, use, whole, job, others, course);
    }

    /** Time for which GPUs that Slurm gave it were held and not used, as far as was seen: what letters are ordered by. */
    Duration waste() {
        return use.stream()
                .filter(one -> one.allocated().isPresent() && Measured.atAll(one) && !Measured.isInUse(one))
                .map(Measured::idleFor)
                .reduce(Duration.ZERO, Duration::plus);
    }

    /** What can be said of a GPU's idleness. */
    static final class Measured {
        private Measured() {}

        static boolean atAll(GpuUse use) {
            return use.samples() > 0 && use.utilizationMaxRatio().isPresent();
        }

        /** How long a GPU has been idle, as far as was seen; zero if nothing is known. */
        static Duration idleFor(GpuUse use) {
            return atAll(use) ? Duration.between(use.lastBusyAt().orElse(use.from()), use.to()) : Duration.ZERO;
        }

        /** Within two readings nobody can tell whether something still runs. */
        static boolean isInUse(GpuUse use) {
            double spacing = use.samples() == 0 ? 0 : use.coveredSeconds() / use.samples();
            return use.lastBusyAt().isPresent() && idleFor(use).toMillis() < 2000 * spacing;
        }
    }
}
