/**
 * Keeps snapshots on disk until the collector has stored them: {@link io.fairwatch.agent.spool.Spool} is the queue,
 * {@link io.fairwatch.agent.spool.Shipper} empties it.
 *
 * <p>Knows nothing of what a snapshot holds: bytes with a sequence number. Format and answers are the text of {@code
 * agent.wire}.
 *
 * <ul>
 *   <li><b>One file per snapshot</b>, packed as it will travel: {@code 00000000000000004711.json.gz}. Written under
 *       another name, forced to disk, renamed, the directory forced: a file with the right name is whole. At one file in
 *       30 s this costs nothing, and an administrator can look with {@code ls} and {@code zcat}. What an earlier process
 *       wrote is unpacked once before it is sent, because disks forget and turn bits.
 *   <li><b>Sequences never go back.</b> {@code acknowledged} holds the last number that left the spool and the next one
 *       to give; a new number is above both and above every file. A spool that was lost starts at the clock's
 *       milliseconds, which no spool reaches by counting.
 *   <li><b>Bounded</b> by bytes and age, and by number: 20 bytes of memory are kept for each ({@code Waiting}), because a
 *       week of them at 5 s as objects would fill the agent's heap, which it would end of at each start. The oldest go first, because the newest say what is going on now; each is
 *       counted by its {@link io.fairwatch.agent.spool.Spool.Loss}. Age is that of the file; when the clock is set back,
 *       nothing is from the future.
 *   <li><b>A disk that takes nothing</b> (full, read-only, broken) stops neither snapshots nor their delivery. New ones
 *       wait in memory, half a MiB of them; when that is full too, the oldest on the disk make room, or, where the disk
 *       does not delete either, the oldest in memory: what is on a read-only disk can still be sent. A disk that hangs
 *       holds up the one thread that asks the spool, and nothing else. As long as the
 *       collector answers nothing is lost. {@code acknowledged} is written over itself, which works on a full disk; where
 *       not even that works, a batch may be sent twice after a restart, never lost.
 *   <li><b>At least once, in order.</b> A batch is deleted after the collector said that it survives a crash.
 *   <li><b>Refused is not retried for ever.</b> When the collector refuses a batch for good, or as too large, half as
 *       many are sent; the one that is refused alone is set aside into {@code rejected}, bounded, for us to look at. With
 *       each batch that is taken the next may be twice as large. Answers that speak of the address or the token (401,
 *       403, 404, 405, 407) or of time (408, 429) say nothing about the batch, so these are tried again: a typo in the
 *       URL must not empty the spool.
 *   <li><b>Nobody comes at once.</b> After a failure an agent waits for a random time between nothing and a span that
 *       doubles, so that a fleet that lost its collector comes back spread over that span. {@code Retry-After} is
 *       honoured, up to ten minutes, and the random time comes on top. What waited goes in batches of bounded size, one
 *       at a time, so that a collector that was away takes turns between all.
 * </ul>
 */
@NullMarked
package io.fairwatch.agent.spool;

import org.jspecify.annotations.NullMarked;
