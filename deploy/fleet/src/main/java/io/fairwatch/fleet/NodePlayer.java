package io.fairwatch.fleet;

import io.fairwatch.agent.wire.AgentState;
import io.fairwatch.agent.wire.GpuDetail;
import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuDriver;
import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.HostReading;
import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.JobDetail;
import io.fairwatch.agent.wire.JobRef;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.ProbeOutcome;
import io.fairwatch.agent.wire.UserUse;
import io.fairwatch.agent.wire.Utilization;
import io.fairwatch.fleet.Workload.Change;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** One node's agent: what it would send, snapshot by snapshot. Confined to one thread. */
final class NodePlayer {
    /** What every screen then says. */
    static final String SIMULATED = "a simulated cluster: nodes, jobs and GPUs are made up";

    private static final int PROCESSES_OF_A_JOB = 8;

    private final Site.Node node;
    private final Workload workload;
    private final SlurmSource slurm;
    private final Duration period;
    private final String bootId;
    private final Instant from;
    private final double[] energyJoules;
    /** Written once: what a GPU is does not change. */
    private final List<GpuDevice> devices;

    private Instant at;
    private long sequence;

    /**
     * @param from the instant before its first snapshot
     * @param slurm is told of every job that begins or ends
     */
    NodePlayer(Site.Node node, Workload workload, SlurmSource slurm, Duration period, Instant from, long seed) {
        this.node = node;
        this.workload = workload;
        this.slurm = slurm;
        this.period = period;
        this.from = from;
        this.at = from;
        // a second life of the same seed is another boot: its sequences are its own
        this.bootId =
                String.format(Locale.ROOT, "b%016x", Seeds.mix(Seeds.mix(seed, node.number()), from.toEpochMilli()));
        this.energyJoules = new double[node.gpus()];
        this.devices = IntStream.range(0, node.gpus())
                .mapToObj(index -> device(node, index))
                .toList();
        workload.advance(from); // what ended before is nobody's business any more
        workload.running().forEach(slurm::began);
    }

    /** The node and its boot, as snapshots name them. */
    String identity() {
        return node.name() + " " + bootId;
    }

    /** The sequence of its newest snapshot; 0 before the first. */
    long sequence() {
        return sequence;
    }

    /** When its next snapshot is due. */
    Instant next() {
        return at.plus(period);
    }

    /** Its next snapshot; moves on to it. */
    NodeSnapshot snapshot() {
        at = next();
        sequence++;
        tell(workload.advance(at));
        GpuReading[] gpus = new GpuReading[node.gpus()];
        List<JobCgroup> jobs = new ArrayList<>();
        Map<Integer, Use> users = new TreeMap<>();
        users.put(0, new Use("root", 400, 0, 0.3, 2L << 30));
        double cpusBusy = 0.4;
        for (Job job : workload.running()) {
            if (!job.runsAt(at)) {
                continue;
            }
            double cpus = job.habit() == Job.Habit.EMPTY || job.habit() == Job.Habit.WAITING
                    ? 0.01
                    : 0.6 * Math.max(1, job.cpus() / 4);
            cpusBusy += cpus;
            long memory = job.memoryBytes() / 3;
            jobs.add(cgroup(job, cpus, memory));
            users.computeIfAbsent(job.user().uid(), uid -> new Use(job.user().name(), 0, 0, 0, 0))
                    .add(cpus * period.toMillis() / 1000, memory);
            for (int place = 0; place < job.gpus().size(); place++) {
                gpus[job.gpus().get(place)] = reading(job.gpus().get(place), job, place);
            }
        }
        for (int i = 0; i < gpus.length; i++) {
            if (gpus[i] == null) {
                gpus[i] = reading(i, null, 0);
            }
        }
        return new NodeSnapshot(
                NodeSnapshot.VERSION,
                node.name(),
                bootId,
                sequence,
                at,
                period,
                new AgentState("0.1.0", from, 0, OptionalDouble.of(sequence * 0.02), OptionalLong.of(84L << 20)),
                probes(),
                Optional.of(new HostReading(
                        node.cpus(),
                        OptionalDouble.of(rounded(Math.min(1, cpusBusy / node.cpus()), 1e4)),
                        node.memoryBytes(),
                        node.memoryBytes() * 2 / 3,
                        OptionalDouble.of(rounded(cpusBusy, 100)),
                        OptionalLong.of(0),
                        OptionalLong.of(0))),
                node.gpus() == 0
                        ? Optional.empty()
                        : Optional.of(new GpuDriver("550.90.07-simulated", Optional.of(SIMULATED))),
                List.of(gpus),
                jobs,
                users.entrySet().stream()
                        .map(entry -> entry.getValue().reading(entry.getKey()))
                        .toList(),
                List.of());
    }

    private void tell(Change change) {
        change.began().forEach(slurm::began);
        change.ended().forEach(slurm::ended);
    }

    private Map<String, ProbeOutcome> probes() {
        ProbeOutcome read = new ProbeOutcome.Read(Duration.ofMillis(3 + sequence % 7));
        return Map.of(
                "processes", read,
                "jobs", read,
                "users", read,
                "host", read,
                "nvml", node.gpus() == 0 ? new ProbeOutcome.Nothing("no NVIDIA driver (simulated)") : read);
    }

    private GpuReading reading(int index, @Nullable Job job, int place) {
        double busy = job == null ? 0 : job.busyRatio(place, at);
        Job holder = job != null && job.isOn(place) ? job : null;
        double watts = node.model().idleWatts()
                + busy * (node.model().busyWatts() - node.model().idleWatts());
        energyJoules[index] += watts * period.toMillis() / 1000;
        long used = holder == null ? 0 : node.model().memoryBytes() / 10 * (3 + holder.id() % 6);
        return new GpuReading(
                devices.get(index),
                Optional.of(utilization(busy)),
                Optional.of(utilization(busy * 0.6)),
                OptionalLong.of(used),
                OptionalLong.of(600L << 20),
                OptionalDouble.of(rounded(watts, 10)),
                OptionalDouble.of(node.model().busyWatts()),
                OptionalDouble.of(rounded(energyJoules[index], 10)),
                OptionalDouble.of(rounded(30 + 40 * busy, 1)),
                OptionalDouble.of(busy > 0 ? 1.53e9 : 1.35e8),
                Optional.of(
                        holder == null
                                ? List.of()
                                : List.of(new GpuProcess(
                                        pid(holder),
                                        GpuProcess.Kind.COMPUTE,
                                        OptionalInt.of(holder.user().uid()),
                                        Optional.of(new JobRef(holder.id(), Optional.of("0"), JobRef.Evidence.CGROUP)),
                                        OptionalLong.of(used),
                                        OptionalDouble.of(rounded(busy, 1e4))))),
                Optional.of(new GpuDetail(
                        OptionalDouble.of(rounded(35 + 30 * busy, 1)),
                        OptionalDouble.of(8.77e8),
                        OptionalDouble.empty(),
                        Optional.of(busy > 0.9 ? List.of("sw_power_cap") : busy == 0 ? List.of("gpu_idle") : List.of()),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty())));
    }

    private static GpuDevice device(Site.Node node, int index) {
        return new GpuDevice(
                node.uuid(index),
                index,
                OptionalInt.of(index),
                Optional.of(String.format(Locale.ROOT, "00000000:%02x:00.0", 0x18 + 4 * index)),
                node.model().name(),
                OptionalLong.of(node.model().memoryBytes()),
                Optional.empty());
    }

    private static Utilization utilization(double ratio) {
        return new Utilization(
                rounded(ratio, 1e4),
                Math.min(1, rounded(ratio * 1.04, 100)),
                rounded(ratio, 100),
                178,
                Utilization.Source.RING);
    }

    private JobCgroup cgroup(Job job, double cpus, long memory) {
        double seconds = cpus * Duration.between(job.start(), at).toMillis() / 1000;
        return new JobCgroup(
                job.id(),
                Optional.empty(),
                OptionalInt.of(job.user().uid()),
                OptionalInt.of(PROCESSES_OF_A_JOB),
                OptionalDouble.of(rounded(seconds, 1000)),
                OptionalLong.of(memory),
                OptionalLong.of(memory + (4L << 30)),
                OptionalLong.of(memory + (6L << 30)),
                OptionalLong.of(job.memoryBytes()),
                Optional.of(new JobDetail(
                        OptionalInt.of(job.cpus()),
                        OptionalInt.of(64),
                        OptionalDouble.of(rounded(seconds * 0.97, 1000)),
                        OptionalDouble.of(rounded(seconds * 0.03, 1000)),
                        OptionalLong.of(memory - (1L << 30)),
                        OptionalLong.of(1L << 30),
                        OptionalLong.of(4L << 30),
                        OptionalLong.of(3L << 30),
                        OptionalLong.of(0),
                        OptionalLong.of(0),
                        OptionalLong.of(0),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        Optional.empty())));
    }

    private static int pid(Job job) {
        return 10_000 + (int) (job.id() % 3_000_000);
    }

    private static double rounded(double value, double steps) {
        return Math.round(value * steps) / steps;
    }

    /** What one user's processes use; sums as jobs are added. */
    private static final class Use {
        private final String name;
        private int processes;
        private int processesInJobs;
        private double cpuSeconds;
        private long residentBytes;

        Use(String name, int processes, int processesInJobs, double cpuSeconds, long residentBytes) {
            this.name = name;
            this.processes = processes;
            this.processesInJobs = processesInJobs;
            this.cpuSeconds = cpuSeconds;
            this.residentBytes = residentBytes;
        }

        void add(double seconds, long bytes) {
            processes += PROCESSES_OF_A_JOB;
            processesInJobs += PROCESSES_OF_A_JOB;
            cpuSeconds += seconds;
            residentBytes += bytes;
        }

        UserUse reading(int uid) {
            boolean inJobs = processesInJobs > 0;
            return new UserUse(
                    uid,
                    Optional.of(name),
                    processes,
                    processesInJobs,
                    OptionalDouble.of(rounded(cpuSeconds, 100)),
                    residentBytes,
                    OptionalDouble.of(inJobs ? rounded(cpuSeconds, 100) : 0),
                    inJobs ? residentBytes : 0,
                    OptionalLong.empty());
        }
    }
}
