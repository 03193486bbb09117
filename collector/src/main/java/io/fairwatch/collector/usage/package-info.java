/**
 * Joins what Slurm gave with what nodes saw.
 *
 * <p>Slurm numbers the GPUs of a node by a rule of its own: by device file where {@code gres.conf} lists files, by PCI
 * bus where it detects them; neither is NVML's index, and minor numbers need not follow the bus.
 * {@link io.fairwatch.collector.usage.GpuNumbers} keeps both readings of a node apart as long as they differ and lets the
 * processes of jobs decide, and, where device cgroups tell, what a job may open: a device that only the job's own GPUs
 * could be speaks for the reading that names it. No site writes a map by hand, and each translation says how sure it is.
 */
@NullMarked
package io.fairwatch.collector.usage;

import org.jspecify.annotations.NullMarked;
