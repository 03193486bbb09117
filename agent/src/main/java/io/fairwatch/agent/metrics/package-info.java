/**
 * What the agent tells about itself: its health and its cost, in Prometheus' text format.
 *
 * <p>Names are {@code fairwatch_agent_<what>_<base unit>[_total]}. No job, user or process is a label here. Gauges show
 * what was last seen on a worker thread, so that a scrape costs the event loop no system call.
 */
@NullMarked
package io.fairwatch.agent.metrics;

import org.jspecify.annotations.NullMarked;
