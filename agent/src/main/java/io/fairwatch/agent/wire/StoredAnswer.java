package io.fairwatch.agent.wire;

import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What the collector answers when a batch is durable. Immutable.
 *
 * @param stored snapshots that were new; all of them where the collector answers before its store has looked
 * @param duplicates snapshots that it had already, as far as it has looked
 * @param allocations which job holds which GPU of the sender's node, as the collector knows it from Slurm; absent unless
 *     the request's header {@value #WANTS} was {@value #ALLOCATIONS}, or when Slurm has not answered lately
 */
public record StoredAnswer(long stored, long duplicates, Optional<List<HeldGpu>> allocations) {
    /** Request header with which an agent asks for more than numbers. */
    public static final String WANTS = "Fairwatch-Wants";

    /** The only value that it has. */
    public static final String ALLOCATIONS = "allocations";

    public StoredAnswer {
        Check.notNegative("stored", stored);
        Check.notNegative("duplicates", duplicates);
        allocations = allocations.map(List::copyOf);
        allocations.ifPresent(list -> Check.atMost("allocations", list.size(), 4096));
    }

    /**
     * A GPU and the job that holds it. Immutable.
     *
     * @param uuid the device
     * @param jobId raw job id
     * @param uid whose job it is; absent if not told
     */
    public record HeldGpu(String uuid, long jobId, OptionalInt uid) {
        public HeldGpu {
            Check.uuid("allocations.uuid", uuid);
            Check.positive("allocations.job_id", jobId);
            Check.notNegative("allocations.uid", uid);
            uuid = uuid.intern();
        }
    }
}
