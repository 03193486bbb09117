/**
 * What the agent shows to Prometheus: its own health and cost, the node and its GPUs, and, where they are switched on, the
 * series of the exporters that a site may have had before.
 *
 * <p>Names are {@code fairwatch_<area>_<what>_<base unit>[_total]}. No job, user or process is a label of those. A reading
 * that is absent has no series; a GPU or a mount that is gone has none from the next snapshot on, and when no snapshot came
 * for three periods nothing of the node is shown. Between scrapes nothing is done but keeping the newest snapshot.
 *
 * <p>{@code metrics.jobstats} adds the series of jobstats' two exporters under their names, labels, types and units,
 * however odd, so that jobstats, its board, gpudash and Job Defense Shield run on them unchanged. What is decided there:
 *
 * <ul>
 *   <li><b>Which job holds a GPU</b> ({@code GpuHolders}): a process on it tells, by its cgroup or its ancestors, never by
 *       its environment; else the collector does, which knows Slurm; else the only job that may open the device. What the
 *       collector said is forgotten after five minutes.
 *   <li><b>The series of a job end with its cgroup.</b> A look-back of five minutes would else carry them into the next
 *       job, so each scrape asks whether the directory still stands: one system call for each job.
 *   <li><b>The period</b> is the finest that these series can tell: a scrape between two snapshots repeats the former. For
 *       a site with many jobs of a minute, {@code period: 15s}.
 *   <li><b>Use of a GPU</b> is the mean over the period where the exporter has one instant, and a whole percent, because
 *       gpudash reads nothing but digits; what is above 0 is at least 1.
 *   <li><b>A job without a limit</b> has the node's memory; jobstats would print -1.
 *   <li><b>The minor number</b> is jobstats' key for a GPU. A slice has its card's, so that theirs shows one slice of
 *       several; a GPU that tells none has its index.
 *   <li><b>{@code cgroup_memory_fail_count}</b> counts processes killed for want of memory, on both versions of cgroups;
 *       {@code cgroup_memsw_total_bytes} and {@code _fail_count} are 0, which is all that the exporter tells on v2.
 *   <li><b>{@code nvidia_gpu_last_error}</b> is NVML's return code, as in the exporter, never an XID: 0 while a card answers,
 *       15 (the GPU is lost) in the period in which it was lost, after which it has no series; XIDs have {@code fairwatch_gpu_last_xid}.
 *   <li><b>Left out</b>: the clocks {@code graphics} and {@code video}; steps and tasks, of which jobstats asks only for the
 *       sum.
 * </ul>
 *
 * <p>{@code metrics.nodeExporter} adds the series of Prometheus' node exporter that boards for compute nodes ask for, read
 * at the scrape. CPU frequencies are among them, as the exporter has them: before Linux 5.19 reading one interrupts that
 * CPU for some microseconds, one more reason to leave the switch off where no board asks for them.
 *
 * <p>Pages are made on a worker thread; scrapes that meet share one.
 */
@NullMarked
package io.fairwatch.agent.metrics;

import org.jspecify.annotations.NullMarked;
