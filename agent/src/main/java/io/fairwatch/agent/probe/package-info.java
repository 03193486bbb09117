/**
 * Reads the node: each {@link io.fairwatch.agent.probe.Probe} one source, into records of {@code agent.wire}.
 *
 * <p>A probe runs no external command and needs no privilege for what is on by default. Roots such as {@code /proc} and
 * {@code /sys/fs/cgroup} come in through the constructor, so that tests and containers point elsewhere. Units are
 * converted here, once, where a number enters. What cannot be read is absent.
 */
@NullMarked
package io.fairwatch.agent.probe;

import org.jspecify.annotations.NullMarked;
