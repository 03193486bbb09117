package io.fairwatch.collector.lookup;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.GpuReadingAt;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.JobUse;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * Everything that a lookup of one run shows. Immutable.
 *
 * @param at when it was put together
 * @param run the run
 * @param earlierRuns how many earlier runs the same job had
 * @param slurmAsOf when Slurm was asked last
 * @param slurmStale whether that is too long ago to call the job's state current
 * @param gpus its GPUs, by node and Slurm's number
 * @param cpu CPU and memory since its start; absent when no node reported the job
 * @param period longest sampling period of its nodes; absent when none of them ever reported
 * @param silentNodes its nodes that never reported within the run
 * @param simulated the sentence that says so when GPUs of its nodes are simulated
 * @param findings what rules found about this run
 */
public record JobView(
        Instant at,
        Run run,
        int earlierRuns,
        Instant slurmAsOf,
        boolean slurmStale,
        List<GpuLine> gpus,
        Optional<JobUse> cpu,
        Optional<Duration> period,
        List<String> silentNodes,
        Optional<String> simulated,
        List<FindingLine> findings) {
    public JobView {
        gpus = List.copyOf(gpus);
        silentNodes = List.copyOf(silentNodes);
        findings = List.copyOf(findings);
    }

    /**
     * One GPU of a run.
     *
     * @param lastHour its use in the last hour of the run, from full ten minutes on, or in all of a shorter run
     * @param whole its use since the run's start
     * @param newest its newest reading within the run; absent without any
     */
    public record GpuLine(GpuUse lastHour, GpuUse whole, Optional<GpuReadingAt> newest) {}

    /** Until when the run is looked at: its end, or now. */
    public Instant until() {
        return run.end().orElse(at);
    }
}
