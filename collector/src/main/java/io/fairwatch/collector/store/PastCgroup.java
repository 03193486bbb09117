package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.JobCgroup;
import java.time.Duration;
import java.time.Instant;

/**
 * A job's cgroup on a node as it came once, as far as it is kept. Immutable.
 *
 * @param node node
 * @param at end of the period that it covers
 * @param period length of that period
 * @param cgroup what was read
 */
public record PastCgroup(String node, Instant at, Duration period, JobCgroup cgroup) {}
