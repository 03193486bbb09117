package io.fairwatch.collector.store;

import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.NodeService;
import io.fairwatch.collector.run.RunKey;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * A period in sums: small, however many runs it had. Lengths are whole milliseconds, so that sums do not depend on the
 * order in which a database adds. Immutable.
 *
 * @param accountingUntil until when ended runs are known completely; absent: Slurm's accounting never answered
 * @param viewAt when Slurm was asked last about nodes and live jobs; absent: never
 * @param firstReading the earliest reading of a GPU within the period; absent without any
 * @param groups runs by everything that they are divided by
 * @param modelHours held and wanted GPUs by model and hour
 * @param departmentHours held and wanted GPUs by department and hour
 * @param usedHours what nodes saw of GPUs by model and hour
 * @param waits waiting times by model and week of the start
 * @param right runs by how busy and how full their GPUs were
 * @param nodes what Slurm said of each node, cut to the period
 * @param models GPU model of each node that has one
 * @param findings findings of the period that a person was or could have been told
 * @param terms what accounts asked for under each QoS, and what they needed
 * @param lastRuns when everybody ran something last, in or before the period
 */
public record PeriodFacts(
        Optional<Instant> accountingUntil,
        Optional<Instant> viewAt,
        Optional<Instant> firstReading,
        List<Group> groups,
        List<HourSum> modelHours,
        List<HourSum> departmentHours,
        List<HourUse> usedHours,
        List<Wait> waits,
        List<Fit> right,
        List<NodeSpan> nodes,
        Map<String, String> models,
        List<FindingFact> findings,
        List<Terms> terms,
        List<LastRun> lastRuns) {

    /** The model of runs without GPUs. */
    public static final String NO_GPU = "";

    /** The model or node group of what nobody can tell. */
    public static final String UNKNOWN = "?";

    /** The node group of runs on nodes of several. */
    public static final String SEVERAL = "*";

    public PeriodFacts {
        groups = List.copyOf(groups);
        modelHours = List.copyOf(modelHours);
        departmentHours = List.copyOf(departmentHours);
        usedHours = List.copyOf(usedHours);
        waits = List.copyOf(waits);
        right = List.copyOf(right);
        nodes = List.copyOf(nodes);
        models = Map.copyOf(models);
        findings = List.copyOf(findings);
        terms = List.copyOf(terms);
        lastRuns = List.copyOf(lastRuns);
    }

    /**
     * By what runs are divided. Immutable.
     *
     * @param user login name
     * @param account charged account
     * @param partition where they ran
     * @param qos quality of service; empty without one
     * @param model GPU model; {@link #NO_GPU}, {@link #UNKNOWN}, or several joined by {@code +}
     * @param nodeGroup group of their nodes, {@link #SEVERAL} or {@link #UNKNOWN}
     * @param size largest number of GPUs in the size class: 0, 1, 2, 4, 8, 16, or 17 for more
     * @param interactive not started by sbatch; of runs that only accounting told, not known and false
     */
    public record GroupKey(
            String user,
            String account,
            String partition,
            String qos,
            String model,
            String nodeGroup,
            int size,
            boolean interactive) {}

    /** Runs that agree in {@code key}, summed. Immutable. */
    public record Group(GroupKey key, Sums sums) {}

    /**
     * Some runs together, as far as they lie in the period. Immutable.
     *
     * @param runs how many held their allocation at some time of the period
     * @param gpuMs GPUs times time held, suspension included: what {@code sreport} counts
     * @param gpuSuspendedMs the part of it in which the run was suspended, as far as Slurm tells where it lay
     * @param cpuMs CPUs times time held, without suspension where Slurm tells where it lay
     * @param memoryMibMs MiB times time held
     * @param cutSuspended runs cut at a border that were suspended at a time that Slurm does not tell
     * @param untold runs of which Slurm tells no number of GPUs
     * @param use what nodes saw
     * @param started runs that started within the period
     * @param waitMs their waiting times summed
     * @param waitGpuMs their waiting times times their GPUs, summed
     */
    public record Sums(
            long runs,
            long gpuMs,
            long gpuSuspendedMs,
            long cpuMs,
            long memoryMibMs,
            long cutSuspended,
            long untold,
            Use use,
            long started,
            long waitMs,
            long waitGpuMs) {
        public static final Sums NONE = new Sums(0, 0, 0, 0, 0, 0, 0, Use.NONE, 0, 0, 0);

        public Sums plus(Sums other) {
            return new Sums(
                    runs + other.runs,
                    gpuMs + other.gpuMs,
                    gpuSuspendedMs + other.gpuSuspendedMs,
                    cpuMs + other.cpuMs,
                    memoryMibMs + other.memoryMibMs,
                    cutSuspended + other.cutSuspended,
                    untold + other.untold,
                    use.plus(other.use),
                    started + other.started,
                    waitMs + other.waitMs,
                    waitGpuMs + other.waitGpuMs);
        }
    }

    /**
     * What nodes saw of some runs. Immutable.
     *
     * @param seenMs GPU time of which nodes told how busy the GPU was
     * @param usedMs that time times mean utilisation
     * @param idleMs that time in which nothing ran
     * @param outsideMs time on GPUs that Slurm did not give, of runs of which it is known which it gave; in no other sum
     * @param energyJoules energy that their GPUs took, by their counters
     * @param energyMs GPU time over which that energy was counted
     * @param idleEnergyJoules the part of it that was taken while nothing ran
     * @param cpuUsedMs CPU time taken
     * @param cpuSeenMs CPU time held by runs of which nodes told the CPU time taken
     * @param memoryUsedMibMs most memory in use times time held
     * @param memorySeenMibMs memory times time held of runs of which nodes told the memory in use
     * @param lostMs GPU time in which nothing ran after the owner was told of it
     */
    public record Use(
            long seenMs,
            long usedMs,
            long idleMs,
            long outsideMs,
            long energyJoules,
            long energyMs,
            long idleEnergyJoules,
            long cpuUsedMs,
            long cpuSeenMs,
            long memoryUsedMibMs,
            long memorySeenMibMs,
            long lostMs) {
        public static final Use NONE = new Use(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

        public Use plus(Use other) {
            return new Use(
                    seenMs + other.seenMs,
                    usedMs + other.usedMs,
                    idleMs + other.idleMs,
                    outsideMs + other.outsideMs,
                    energyJoules + other.energyJoules,
                    energyMs + other.energyMs,
                    idleEnergyJoules + other.idleEnergyJoules,
                    cpuUsedMs + other.cpuUsedMs,
                    cpuSeenMs + other.cpuSeenMs,
                    memoryUsedMibMs + other.memoryUsedMibMs,
                    memorySeenMibMs + other.memorySeenMibMs,
                    lostMs + other.lostMs);
        }
    }

    /**
     * GPUs held and wanted by one group in one hour, counted from the period's begin; an hour without any is left out.
     * Immutable.
     *
     * @param name of the group
     * @param hour 0 for the first of the period
     * @param heldMs GPU time held in it
     * @param waitMs GPU time that jobs which started later waited in it
     */
    public record HourSum(String name, int hour, long heldMs, long waitMs) {}

    /**
     * What nodes saw of all GPUs of one model in one hour, held or not. Immutable.
     *
     * @param model GPU model
     * @param hour 0 for the first of the period
     * @param seenMs GPU time of which nodes told how busy the GPU was
     * @param usedMs that time times mean utilisation
     * @param idleMs that time in which nothing ran
     * @param powerMs GPU time of which nodes told the power
     * @param energyJoules energy taken in that time
     * @param idleEnergyJoules the part of it that was taken while nothing ran
     */
    public record HourUse(
            String model,
            int hour,
            long seenMs,
            long usedMs,
            long idleMs,
            long powerMs,
            long energyJoules,
            long idleEnergyJoules) {}

    /**
     * Runs of one account under one QoS that ended. Immutable.
     *
     * @param account charged account
     * @param qos quality of service
     * @param runs how many
     * @param timeouts how many of them the time limit ended
     * @param mostGpus GPUs of the largest
     * @param limitMs time limits summed, of those that had one
     * @param ranMs time held summed, of those that had a limit
     * @param longest share of its time limit that the longest but one in twenty took, 0..1; absent without limits
     */
    public record Terms(
            String account,
            String qos,
            long runs,
            long timeouts,
            int mostGpus,
            long limitMs,
            long ranMs,
            OptionalDouble longest) {}

    /**
     * When somebody held something last. Immutable.
     *
     * @param user login name
     * @param cluster Slurm's {@code ClusterName}
     * @param account of that run
     * @param last when it ended, or was confirmed to run
     */
    public record LastRun(String user, String cluster, String account, Instant last) {}

    /**
     * Waiting times of runs with GPUs that started in one week. Immutable.
     *
     * @param model GPU model
     * @param week index of the week, 0 for what lies before the first week's begin
     * @param runs how many
     * @param sumMs waiting times summed
     * @param medianMs half of them waited no longer
     * @param p90Ms nine in ten waited no longer
     */
    public record Wait(String model, int week, long runs, long sumMs, long medianMs, long p90Ms) {}

    /**
     * Runs whose GPUs were about as busy and about as full. Immutable.
     *
     * @param useTenth mean utilisation in tenths, 0..9
     * @param memoryTenth most GPU memory in use in tenths of what the GPU has, 0..9; absent if it was not read
     * @param runs how many
     * @param seenMs GPU time seen of them
     */
    public record Fit(int useTenth, OptionalInt memoryTenth, long runs, long seenMs) {}

    /**
     * A node for as long as Slurm said the same of it. Immutable.
     *
     * @param name Slurm's {@code NodeName}
     * @param from begin
     * @param to end
     * @param service whether it could be used
     * @param cpus CPUs; absent if not told
     * @param memoryBytes memory; absent if not told
     * @param gpus GPUs by its {@code Gres}; absent: Slurm knows of none
     * @param gres Slurm's own text
     */
    public record NodeSpan(
            String name,
            Instant from,
            Instant to,
            NodeService service,
            OptionalInt cpus,
            OptionalLong memoryBytes,
            OptionalInt gpus,
            String gres) {}

    /**
     * A finding and what became of its run. Immutable.
     *
     * @param run which run
     * @param rule which rule
     * @param user whose
     * @param since since when the condition held
     * @param told when the owner's mail was delivered; absent: never
     * @param cleared when the condition was seen to have ended; absent while it holds
     * @param gpus GPUs of the run
     * @param end when the run ended; absent while it runs
     * @param limit when its time limit would have ended it; absent: unlimited or not told
     * @param state how the run stands or ended
     * @param idleAfterToldMs GPU time in which nothing ran, between told and the run's end, within the period
     */
    public record FindingFact(
            RunKey run,
            String rule,
            String user,
            Instant since,
            Optional<Instant> told,
            Optional<Instant> cleared,
            int gpus,
            Optional<Instant> end,
            Optional<Instant> limit,
            JobState state,
            long idleAfterToldMs) {}
}
