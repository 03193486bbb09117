package io.fairwatch.collector.slurm;

import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.io.BufferedWriter;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * How long reading squeue's answer of a large cluster takes, and how much heap. {@code deploy/bench/slurm} runs it; it is no
 * test. The answer is one that 22.05 prints: jobs of 8 GPUs and 8 to 256 cores, each core listed.
 */
final class SqueueBenchmark {
    private static final int ROUNDS = 5;
    private static final Instant AT = Instant.ofEpochSecond(1796000000);

    private SqueueBenchmark() {}

    public static void main(String[] arguments) throws Exception {
        int jobs = Integer.parseInt(arguments[0]);
        Path directory = Files.createTempDirectory("fairwatch-squeue");
        Path answer = directory.resolve("squeue.out");
        try {
            write(answer, jobs);
            new FakeSlurm(directory).command("squeue", "exec cat '" + answer + "'");
            SlurmCommand command = new SlurmCommand(settings(directory));
            System.out.printf(
                    Locale.ROOT,
                    "jobs=%d answer=%.0f MB heap=%d MB%n",
                    jobs,
                    Files.size(answer) / 1e6,
                    Runtime.getRuntime().maxMemory() >> 20);
            for (int round = 1; round <= ROUNDS; round++) {
                read(command, round);
            }
        } finally {
            Files.deleteIfExists(answer);
            Files.deleteIfExists(directory.resolve("squeue"));
            Files.deleteIfExists(directory);
        }
    }

    private static void read(SlurmCommand command, int round) throws SlurmException, InterruptedException {
        System.gc();
        long before = used();
        List<MemoryPoolMXBean> pools = ManagementFactory.getMemoryPoolMXBeans().stream()
                .filter(pool -> pool.getType() == MemoryType.HEAP)
                .toList();
        pools.forEach(MemoryPoolMXBean::resetPeakUsage);
        long began = System.nanoTime();
        SqueueParser.Jobs jobs = command.run(
                "squeue",
                SqueueParser.ARGUMENTS,
                printed -> SqueueParser.parse(printed, "lab", AT, UnaryOperator.identity()));
        double seconds = (System.nanoTime() - began) / 1e9;
        long peak =
                pools.stream().mapToLong(pool -> pool.getPeakUsage().getUsed()).sum();
        System.gc();
        System.out.printf(
                Locale.ROOT,
                "round=%d seconds=%.2f runs=%d kept=%.1f MB peak=%.0f MB%n",
                round,
                seconds,
                jobs.runs().size(),
                (used() - before) / 1e6,
                peak / 1e6);
    }

    private static long used() {
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    private static void write(Path file, int jobs) throws IOException {
        try (BufferedWriter out = Files.newBufferedWriter(file)) {
            out.write("{\"meta\": {\"Slurm\": {\"release\": \"22.05.8\"}}, \"errors\": [], \"jobs\": [");
            for (int i = 0; i < jobs; i++) {
                out.write(i == 0 ? "" : ",");
                job(out, i);
            }
            out.write("]}\n");
        }
    }

    private static void job(BufferedWriter out, int i) throws IOException {
        String node = String.format(Locale.ROOT, "gpu%05d", i % 10_000);
        int cores = 8 << i % 6;
        StringBuilder listed = new StringBuilder();
        for (int core = 0; core < cores; core++) {
            listed.append(core == 0 ? "" : ", ").append('"').append(core).append("\": \"allocated\"");
        }
        out.write(String.format(
                Locale.ROOT,
                """
                {"job_id": %d, "job_state": "RUNNING", "user_id": %d, "user_name": "user%d@example.org", "account": "acc%d",
                 "partition": "batch", "qos": "normal", "name": "train %d", "batch_flag": true, "array_job_id": 0,
                 "array_task_id": null, "het_job_id": 0, "submit_time": 1795990000, "eligible_time": 1795990000,
                 "start_time": 1795990005, "end_time": 1796090000, "time_limit": 1440, "nodes": "%s", "comment": "",
                 "pre_sus_time": 0, "suspend_time": 0, "resize_time": 0, "tres_alloc_str":
                 "cpu=%d,mem=64G,node=1,billing=%d,gres/gpu=8,gres/gpu:a100=8", "gres_detail": ["gpu:a100:8(IDX:0-7)"],
                 "standard_output": "/home/user%d/experiments/with/a/path/of/some/length/%%x-%%j.out", "admin_comment": "",
                 "job_resources": {"nodes": "%s", "allocated_cpus": %d, "allocated_nodes": [{"sockets": {"0": {"cores":
                 {%s}}}, "nodename": "%s", "cpus_used": %d}]}}""",
                1_000_000 + i,
                20_000 + i % 900,
                i % 900,
                i % 60,
                i,
                node,
                cores,
                cores,
                i % 900,
                node,
                cores,
                listed,
                node,
                cores));
    }

    private static SlurmSettings settings(Path directory) {
        SlurmSettings defaults = SlurmSettings.DEFAULTS;
        return new SlurmSettings(
                Optional.of(directory),
                List.of(),
                Optional.empty(),
                Optional.of("lab"),
                defaults.every(),
                defaults.accountingEvery(),
                defaults.accountsEvery(),
                Duration.ofMinutes(2),
                1L << 30,
                defaults.overlap(),
                defaults.history(),
                Optional.empty());
    }
}
