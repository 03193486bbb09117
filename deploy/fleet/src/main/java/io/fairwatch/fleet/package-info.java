/**
 * Plays a cluster: agents that send snapshots over the real wire protocol, and a Slurm that knows the jobs in them. For
 * trying the product without root, and for measuring the collector. No part of what a site installs.
 *
 * <ul>
 *   <li><b>Seeded.</b> {@link io.fairwatch.fleet.Workload} draws each node's jobs from the seed and the node's number
 *       alone, so that a fleet of any size is drawn in any order, and the same seed plays the same jobs.
 *   <li><b>Functions of time.</b> What a GPU does follows from its job and the time. A node can be played live, or as one
 *       that was cut off for hours and now sends what it spooled.
 *   <li><b>Slurm by HTTP.</b> {@link io.fairwatch.fleet.SlurmSource} answers stand-ins of {@code squeue}, {@code sinfo}
 *       and {@code sacct}, shell scripts of one line each, in the shapes that 22.05 prints. A job's record is as long as a
 *       real one, because reading 120 MB of them is part of the collector's cost.
 *   <li><b>Cheap.</b> The fleet runs on the machine of the collector that it measures: jobs are drawn once, and packing
 *       uses the fastest compression.
 * </ul>
 */
@NullMarked
package io.fairwatch.fleet;

import org.jspecify.annotations.NullMarked;
