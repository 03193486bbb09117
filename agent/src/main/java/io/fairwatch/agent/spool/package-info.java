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
 *       30 s this costs nothing, and an administrator can look with {@code ls} and {@code zcat}.
 *   <li><b>Sequences never go back.</b> {@code acknowledged} holds the last number that left the spool; the next one is
 *       above it and above every file. A spool that was lost starts at the clock's milliseconds, which no spool reaches
 *       by counting.
 *   <li><b>Bounded.</b> The oldest go first, because the newest say what is going on now; each is counted.
 *   <li><b>At least once, in order.</b> A batch is deleted after the collector said that it survives a crash.
 *   <li><b>Refused is not retried for ever.</b> When the collector refuses a batch for good its snapshots are sent one
 *       by one; the one that is refused alone is set aside into {@code rejected}, bounded, for us to look at. Answers
 *       that speak of the address or the token (401, 403, 404, 405, 407) or of time (408, 429) say nothing about the
 *       batch, so these are tried again: a typo in the URL must not empty the spool.
 * </ul>
 */
@NullMarked
package io.fairwatch.agent.spool;

import org.jspecify.annotations.NullMarked;
