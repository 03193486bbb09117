package io.fairwatch.collector.run;

import java.util.Locale;

/** Slurm's words for the state of a job. The raw text is kept beside it wherever it is stored. */
public enum JobState {
    PENDING,
    CONFIGURING,
    RUNNING,
    SUSPENDED,
    COMPLETING,
    COMPLETED,
    CANCELLED,
    FAILED,
    TIMEOUT,
    OUT_OF_MEMORY,
    NODE_FAIL,
    BOOT_FAIL,
    DEADLINE,
    PREEMPTED,
    REQUEUED,
    RESIZING,
    REVOKED,
    SPECIAL_EXIT,
    STOPPED,
    /** A word that this version does not know. */
    UNRECOGNIZED;

    /** Reads Slurm's word, e.g. {@code RUNNING} or {@code CANCELLED by 21004}. */
    public static JobState parse(String text) {
        String word = text.strip().split("[ +]", 2)[0].toUpperCase(Locale.ROOT);
        for (JobState state : values()) {
            if (state.name().equals(word)) {
                return state;
            }
        }
        return UNRECOGNIZED;
    }

    /** Whether the job holds its allocation in this state. */
    public boolean holdsAllocation() {
        return switch (this) {
            case RUNNING, SUSPENDED, COMPLETING, CONFIGURING, RESIZING, STOPPED -> true;
            case PENDING,
                    COMPLETED,
                    CANCELLED,
                    FAILED,
                    TIMEOUT,
                    OUT_OF_MEMORY,
                    NODE_FAIL,
                    BOOT_FAIL,
                    DEADLINE,
                    PREEMPTED,
                    REQUEUED,
                    REVOKED,
                    SPECIAL_EXIT,
                    UNRECOGNIZED -> false;
        };
    }
}
