package io.fairwatch.collector.store;

/**
 * What the runs of one person under one account held within a time, cut to it, each run in whole seconds as Slurm counts.
 * Immutable.
 *
 * @param account charged account
 * @param user login name
 * @param gpuSeconds GPUs times time held, suspension included
 * @param cpuSeconds CPUs times time held, less the suspended time of runs that lie wholly within
 * @param memoryMibSeconds MiB times time held
 */
public record HeldSums(String account, String user, long gpuSeconds, long cpuSeconds, long memoryMibSeconds) {}
