/**
 * Takes what agents send and puts it into the store. Nothing reads this package; everybody else reads the store.
 *
 * <p>The wire format and its answers are described in {@link io.fairwatch.agent.wire}. An agent hears 200 only when its
 * batch would survive a {@code kill -9}. One transaction and one {@code fsync} for each of 10,000 agents would be too
 * many, so batches wait a fraction of a second for each other and are committed as a group.
 */
@NullMarked
package io.fairwatch.collector.ingest;

import org.jspecify.annotations.NullMarked;
