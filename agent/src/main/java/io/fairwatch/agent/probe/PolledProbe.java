package io.fairwatch.agent.probe;

/**
 * A probe whose source forgets faster than a period lasts, so that it must be looked at in between. Calls of {@link
 * #poll} and {@link #read} never overlap.
 */
public interface PolledProbe<T> extends Probe<T> {
    /**
     * Collects what the next {@link #read} will sum up. Does nothing while the source is not there.
     *
     * @throws ProbeException if the source is there but could not be read
     */
    void poll() throws ProbeException;
}
