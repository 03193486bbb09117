/**
 * What an agent tells the collector. Owned by the agent; the collector reads it and nothing else of the agent.
 *
 * <p>This page is the normative text of the wire format, version {@value io.fairwatch.agent.wire.NodeSnapshot#VERSION}.
 *
 * <ul>
 *   <li><b>Transport.</b> {@code POST /api/v1/snapshots}, {@code Content-Type: application/x-ndjson}, {@code
 *       Content-Encoding: gzip}: one {@link io.fairwatch.agent.wire.NodeSnapshot} as JSON per line, all of one node,
 *       ascending by sequence. Gzip members may follow one another, so a spool of packed snapshots is sent by joining
 *       its files. {@code Authorization: Bearer TOKEN} where the collector asks for one.
 *   <li><b>Answers.</b> 200 when every snapshot would survive a {@code kill -9} of the collector (one seen before counts
 *       as stored); 4xx with a sentence when the batch will never be accepted; 503 when it should come again later.
 *       The 200's body is an {@link io.fairwatch.agent.wire.StoredAnswer}; with the header {@code Fairwatch-Wants:
 *       allocations} it also tells which running job holds which GPU of the node that the batch is of, by what Slurm said
 *       in the last five minutes. Only GPUs of which the collector is sure, or has nothing against its assumption, are
 *       named; one that is not named may be held all the same. The agent takes an answer for what it was when it came: it
 *       forgets it after five minutes, and a job without a cgroup on the node holds nothing. A GPU that is named twice for
 *       different jobs is nobody's. A collector that does not know the header ignores it.
 *   <li><b>Identity.</b> A snapshot is node + boot id + sequence. Sequences ascend by one; a spool that was lost starts
 *       at the clock's milliseconds, so that nothing new ever looks like something old.
 *   <li><b>Keys</b> are the record components in snake case, with their unit. Unknown keys are ignored. A missing
 *       optional key means <em>not known</em>, never zero.
 *   <li><b>Units</b> are base units: bytes, seconds, watts, joules, hertz, degrees Celsius, ratios 0 to 1. Times are ISO
 *       8601 in UTC, durations ISO 8601 ({@code PT30S}). Fractions are
 *       rounded when they are written: to four decimals, from a million on to two. That is finer than anything here is
 *       measured, and saves a fifth of a packed snapshot.
 *   <li><b>Privacy.</b> No command lines, no environment, no file names below the first level of a scratch directory.
 * </ul>
 *
 * <p>All records check what they are given and name what was wrong, because on the collector's side everything that
 * arrives is hostile until checked. {@code example-snapshot.json} beside the codec is read by the tests of both sides.
 */
@NullMarked
package io.fairwatch.agent.wire;

import org.jspecify.annotations.NullMarked;
