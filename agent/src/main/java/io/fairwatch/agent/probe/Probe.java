package io.fairwatch.agent.probe;

import java.time.Instant;

/** Reads one source of this node, now. Confined to the thread that the sampler gives it. */
public interface Probe<T> {
    /** Stable name for the snapshot, metrics and logs, e.g. {@code nvml}. */
    String name();

    /**
     * Reads everything once.
     *
     * @param at the instant that the readings will carry; periods run from the previous call's
     * @throws NothingToReadException if the source is not on this node, which is nothing wrong
     * @throws ProbeException if the source is there but could not be read
     */
    T read(Instant at) throws ProbeException;

    /**
     * What the last {@link #read} gave came too late and reached nobody. Called before the next call: whatever happens
     * once and would be lost is to be told again. Most readings are made anew and need nothing.
     */
    default void missed() {}

    /** A source could not be read; the message is one sentence for an administrator. */
    class ProbeException extends Exception {
        public ProbeException(String message, Throwable cause) {
            super(message, cause);
        }

        public ProbeException(String message) {
            super(message);
        }
    }

    /** A source is not on this node, e.g. no NVIDIA driver. */
    final class NothingToReadException extends ProbeException {
        public NothingToReadException(String message) {
            super(message);
        }
    }
}
