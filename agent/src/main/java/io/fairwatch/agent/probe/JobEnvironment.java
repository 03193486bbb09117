package io.fairwatch.agent.probe;

import io.fairwatch.agent.wire.JobRef;
import io.fairwatch.agent.wire.JobRef.Evidence;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The job in a process's environment, {@code /proc/PID/environ}: the weakest evidence there is, because a user can write
 * anything there, and programs that a job started on its behalf elsewhere inherit it. So it is asked only where it is
 * switched on, and where neither a cgroup nor a slurmstepd tells; it is never believed of root, who starts Slurm's own
 * scripts; and when it says whose the job is, that must be whose the process is. Stateless.
 *
 * <p>{@code SLURM_JOB_ID} is a raw job id: of an array its task's, and of a heterogeneous job its component's, but for
 * processes that only know the whole job by its first component's. Those say where they belong by an offset.
 */
final class JobEnvironment {
    private static final String PREFIX = "SLURM_";
    /** Beyond are Slurm's names for batch and other special steps. */
    private static final long LARGEST_STEP = 0xffff_0000L;

    private JobEnvironment() {}

    /**
     * Reads the variables, each ended by a zero byte, of a process of that user.
     *
     * @return empty when no job is named, or one that cannot be believed
     */
    static Optional<JobRef> parse(String environ, int uid) {
        Map<String, String> slurm = new HashMap<>();
        for (int from = 0; from < environ.length(); ) {
            int end = environ.indexOf('\0', from);
            int to = end < 0 ? environ.length() : end;
            if (environ.startsWith(PREFIX, from)) {
                int equals = environ.indexOf('=', from);
                if (equals >= 0 && equals < to) {
                    // of two of one name, programs are told the first
                    slurm.putIfAbsent(environ.substring(from, equals), environ.substring(equals + 1, to));
                }
            }
            from = to + 1;
        }
        OptionalLong owner = number(slurm, "SLURM_JOB_UID");
        if (uid == 0 || (slurm.containsKey("SLURM_JOB_UID") && (owner.isEmpty() || owner.getAsLong() != uid))) {
            return Optional.empty();
        }
        OptionalLong jobId = jobId(slurm);
        return jobId.isPresent() && jobId.getAsLong() > 0 && jobId.getAsLong() <= Integer.toUnsignedLong(-1)
                ? Optional.of(new JobRef(jobId.getAsLong(), step(slurm), Evidence.ENVIRON))
                : Optional.empty();
    }

    private static OptionalLong jobId(Map<String, String> slurm) {
        OptionalLong jobId = number(slurm, "SLURM_JOB_ID");
        OptionalLong whole = number(slurm, "SLURM_HET_JOB_ID");
        OptionalLong offset = number(slurm, "SLURM_HET_JOB_OFFSET");
        boolean first = offset.orElse(0) == 0;
        if (jobId.isEmpty() || whole.isEmpty() || first || !jobId.equals(whole)) {
            return jobId;
        }
        return number(slurm, "SLURM_JOB_ID_HET_GROUP_" + offset.getAsLong()); // else it is not known which it is
    }

    private static Optional<String> step(Map<String, String> slurm) {
        OptionalLong step = number(slurm, "SLURM_STEP_ID");
        return step.isPresent() && step.getAsLong() < LARGEST_STEP
                ? Optional.of(Long.toString(step.getAsLong()))
                : Optional.empty();
    }

    private static OptionalLong number(Map<String, String> slurm, String name) {
        return KernelFiles.parseNumber(slurm.getOrDefault(name, ""));
    }
}
