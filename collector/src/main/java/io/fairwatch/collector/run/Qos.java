package io.fairwatch.collector.run;

/**
 * A quality of service. Immutable.
 *
 * @param name its name, e.g. {@code allgpus}
 * @param priority added to a job's priority; larger goes first
 * @param limits what it allows
 */
public record Qos(String name, long priority, Limits limits) {}
