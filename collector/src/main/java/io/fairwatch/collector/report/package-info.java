/**
 * What the cluster's GPUs were used for in a period.
 *
 * <p>Allocated figures are Slurm's alone: the time that a run held its GPUs, cut at the borders of the period, without the
 * time that it was suspended, times {@code gres/gpu}; that is what {@code sacct} counts, to the second. Of a
 * run that is cut, Slurm does not tell in which part it was suspended, so nothing is taken off. Used figures are
 * what nodes saw of it. What was not seen stands apart and is never filled in.
 */
@NullMarked
package io.fairwatch.collector.report;

import org.jspecify.annotations.NullMarked;
