/**
 * Takes what agents send and puts it into the store. Nothing reads this package; everybody else reads the store.
 *
 * <p>The wire format and its answers are described in {@link io.fairwatch.agent.wire}. An agent hears 200 only when its
 * batch would survive a {@code kill -9}. One transaction and one {@code fsync} for each of 10,000 agents would be too
 * many, so batches wait a fraction of a second for each other and are committed as a group.
 *
 * <p>A database of a large cluster stands still for seconds now and then, when it folds its log into its file, and is
 * cheaper the larger the groups are. So that no answer waits for either, batches are written to a journal first, and
 * whoever waits longer than a moment is answered because they are there. What a killed process leaves in it comes first
 * when the next one starts. With nothing to wait for, the store has a batch before its sender is answered. With more
 * waiting than the memory is meant for, senders wait for the store again; that bounds memory, not the queue's length.
 */
@NullMarked
package io.fairwatch.collector.ingest;

import org.jspecify.annotations.NullMarked;
