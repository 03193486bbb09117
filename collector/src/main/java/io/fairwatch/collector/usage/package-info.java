/**
 * Joins what Slurm gave with what nodes saw.
 *
 * <p>Slurm numbers the GPUs of a node by a rule of its own: by device file where {@code gres.conf} lists files, by PCI
 * bus where it detects them; neither is NVML's index, and minor numbers need not follow the bus.
 * {@link io.fairwatch.collector.usage.GpuNumbers} keeps both readings of a node apart as long as they differ and lets the
 * processes of jobs decide, and, where device cgroups tell, what a job may open: a device that only the job's own GPUs
 * could be speaks for the reading that names it. No site writes a map by hand, and each translation says how sure it is.
 *
 * <p>What everybody asks for again and again is kept in memory beside the store, told of each snapshot once it is durable:
 * what GPUs did lately ({@link io.fairwatch.collector.usage.LiveUse}) and what running jobs did since their start ({@link
 * io.fairwatch.collector.usage.LiveRuns}). Planning a query costs more than a person may wait, and on a large cluster an
 * hour of readings is ten million rows. Both can be made from the store at any time and hold nothing that it does not; what
 * does not fit into running sums is left to it.
 */
@NullMarked
package io.fairwatch.collector.usage;

import org.jspecify.annotations.NullMarked;
