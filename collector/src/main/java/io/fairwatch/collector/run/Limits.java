package io.fairwatch.collector.run;

import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * What an association or a QoS allows at most. Immutable. Absent and empty: it sets no such limit, which does not mean
 * that there is none: QoS, user, account and every account above may each set one, and the smallest holds.
 *
 * @param tresPerUser what all running jobs of one user may hold together, in Slurm's text, e.g. {@code cpu=20,gres/gpu=1};
 *     only QoS set it. Source: {@code MaxTRESPU}
 * @param tresPerJob what one job may hold. Source: {@code MaxTRES}
 * @param tresGroup what all running jobs below it may hold together. Source: {@code GrpTRES}
 * @param jobs how many jobs of one user may run at a time. Source: {@code MaxJobsPU} of a QoS, {@code MaxJobs} of an
 *     association
 * @param submitted how many jobs of one user may run and wait together. Source: {@code MaxSubmitPU}, {@code MaxSubmit}
 * @param wall longest time limit of one job. Source: {@code MaxWall}
 */
public record Limits(
        String tresPerUser,
        String tresPerJob,
        String tresGroup,
        OptionalInt jobs,
        OptionalInt submitted,
        Optional<Duration> wall) {
    public static final Limits NONE =
            new Limits("", "", "", OptionalInt.empty(), OptionalInt.empty(), Optional.empty());

    private static final String GPU = "gres/gpu";

    /** GPUs that all running jobs of one user may hold together; a limit of one type alone is none of all. */
    public OptionalLong gpusPerUser() {
        return count(tresPerUser, GPU);
    }

    /** CPUs that all running jobs of one user may hold together. */
    public OptionalLong cpusPerUser() {
        return count(tresPerUser, "cpu");
    }

    /** GPUs that one job may hold. */
    public OptionalLong gpusPerJob() {
        return count(tresPerJob, GPU);
    }

    /** GPUs that all running jobs below an association or under a QoS may hold together. */
    public OptionalLong gpusOfGroup() {
        return count(tresGroup, GPU);
    }

    /** The number behind a name in Slurm's TRES text; absent if it is not there or is no plain number. */
    private static OptionalLong count(String tres, String name) {
        for (String entry : tres.split(",", -1)) {
            int equals = entry.indexOf('=');
            if (equals > 0 && entry.substring(0, equals).strip().equals(name)) {
                String number = entry.substring(equals + 1).strip();
                return number.matches("\\d{1,18}") ? OptionalLong.of(Long.parseLong(number)) : OptionalLong.empty();
            }
        }
        return OptionalLong.empty();
    }
}
