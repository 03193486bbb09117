/**
 * What Slurm says of a job, as values that the rest of the collector shares. No I/O here.
 *
 * <p>A <em>run</em> is one life of a job on its nodes: a requeued job has several. Its identity is cluster, raw job id and
 * start time, because Slurm gives job ids out again. Everything allocated comes from Slurm and from nowhere else.
 */
@NullMarked
package io.fairwatch.collector.run;

import org.jspecify.annotations.NullMarked;
