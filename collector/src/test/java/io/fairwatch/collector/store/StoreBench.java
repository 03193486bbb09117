package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.GpuDetail;
import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.Utilization;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.Store.RunSpan;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Properties;
import java.util.Random;
import java.util.stream.Stream;
import org.duckdb.DuckDBConnection;
import org.duckdb.DuckDBDriver;

/**
 * Measures the store on this machine: bytes of a sealed reading, and questions about one job, with as many sealed hours
 * as are asked for. Arguments: an empty directory, nodes, hours, sampling period in seconds, and in how many files each
 * hour of one more node lies; 0: there is none. Started by {@code deploy/bench/store}.
 */
public final class StoreBench {
    private static final Instant BEGIN = Instant.parse("2026-01-01T00:00:00Z");
    private static final int GPUS = 8;
    private static final int DENSE_HOURS = 30;

    private StoreBench() {}

    private interface Question {
        Object ask() throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        Path directory = Path.of(arguments[0]);
        int nodes = Integer.parseInt(arguments[1]);
        int hours = Integer.parseInt(arguments[2]);
        int period = Integer.parseInt(arguments[3]);
        int parts = Integer.parseInt(arguments[4]);
        DuckDbStore.Settings settings = new DuckDbStore.Settings(
                1,
                512,
                128,
                Duration.ofSeconds(60),
                new Keep(Duration.ofDays(3660), Duration.ofDays(3660), Map.of()),
                0.01,
                0);
        Random random = new Random(4711);
        double[] energy = new double[nodes * GPUS];
        double[] level = new double[nodes * GPUS];
        double[] cpu = new double[nodes];
        long readings = 0;
        long lastSealMs = 0;
        long sequence = 0;
        try (DuckDbStore store = DuckDbStore.open(directory, settings)) {
            for (int hour = 0; hour < hours; hour++) {
                // long ago an hour is one reading: it is the number of files that counts
                int step = hour < hours - DENSE_HOURS ? 3600 : period;
                for (int second = step; second <= 3600; second += step) {
                    sequence++;
                    List<NodeSnapshot> tick = new ArrayList<>();
                    Instant at = BEGIN.plusSeconds(hour * 3600L + second).plusMillis(137);
                    for (int node = 0; node < nodes; node++) {
                        tick.add(snapshot(node, sequence, at, Duration.ofSeconds(step), random, energy, level, cpu));
                        readings += GPUS;
                    }
                    store.append(tick);
                }
                if (hour % 24 == 23 || hour >= hours - 2) { // a day at once is quicker, and makes the same files
                    long began = System.nanoTime();
                    store.maintain(BEGIN.plusSeconds((hour + 2) * 3600L));
                    lastSealMs = (System.nanoTime() - began) / 1_000_000;
                }
            }
        }
        long bytes = bytes(directory, "gpu_reading");
        System.out.printf(
                "%d nodes x %d GPUs, %d hours every %d s: %d GPU readings; sealed %.2f bytes each (files: %d), roll-ups"
                        + " %.2f bytes per GPU and 5 minutes; sealing the last hour %d ms%n",
                nodes,
                GPUS,
                hours,
                period,
                readings,
                bytes / (double) readings,
                files(directory, "gpu_reading"),
                bytes(directory, "gpu_5m") / (readings * (double) period / 300),
                lastSealMs);
        if (parts > 0) {
            inParts(directory, settings, parts, nodes, BEGIN.plusSeconds((hours - 24L) * 3600), period, random);
        }
        long began = System.nanoTime();
        try (DuckDbStore store = DuckDbStore.open(directory, settings)) {
            System.out.printf("opened in %d ms%n", (System.nanoTime() - began) / 1_000_000);
            Instant end = BEGIN.plusSeconds(hours * 3600L);
            Instant day = end.minusSeconds(Math.min(hours, 24) * 3600L);
            AllocatedGpu[] gpus = new AllocatedGpu[GPUS];
            Arrays.setAll(gpus, i -> Given.allocated("node-0", i, uuid(0, i)));
            Run run = Given.run(1, day, Optional.empty(), gpus);
            RunSpan span = new RunSpan(run, day, end);
            RunSpan hour = new RunSpan(run, end.minusSeconds(3600), end);
            measure("series of 24 h on 8 GPUs, 200 points", () -> store.gpuSeries(span, Slots.atMost(day, end, 200)));
            measure("series of 24 h on 8 GPUs, 2000 points", () -> store.gpuSeries(span, Slots.atMost(day, end, 2000)));
            measure("gpuUse of 24 h and of its last hour", () -> store.gpuUse(List.of(span, hour), 0.01));
            measure("jobUse of 24 h", () -> store.jobUse(List.of(span)));
            Run whole = Given.run(1, BEGIN, Optional.empty(), gpus);
            RunSpan all = new RunSpan(whole, BEGIN, end);
            measure(
                    "series of all " + hours + " h on 8 GPUs, 200 points",
                    () -> store.gpuSeries(all, Slots.atMost(BEGIN, end, 200)));
            measure("gpuUse of all of them", () -> store.gpuUse(List.of(all), 0.01));
            if (parts > 0) {
                AllocatedGpu[] late = new AllocatedGpu[GPUS];
                Arrays.setAll(late, i -> Given.allocated("node-" + nodes, i, uuid(nodes, i)));
                Run scattered = Given.run(nodes + 1, day, Optional.empty(), late);
                RunSpan its = new RunSpan(scattered, day, end);
                String where = " of 24 h that lie in " + scattered(directory) + " files, ";
                measure("series" + where + "200 points", () -> store.gpuSeries(its, Slots.atMost(day, end, 200)));
                measure("series" + where + "2000 points", () -> store.gpuSeries(its, Slots.atMost(day, end, 2000)));
                measure("gpuUse" + where + "whole", () -> store.gpuUse(List.of(its), 0.01));
            }
        }
    }

    /** One more node, of which each hour of 24 lies in so many files, as if that much of it had come late. */
    private static void inParts(
            Path directory, DuckDbStore.Settings settings, int parts, int node, Instant from, int period, Random random)
            throws Exception {
        double[] energy = new double[(node + 1) * GPUS];
        double[] level = new double[(node + 1) * GPUS];
        double[] cpu = new double[node + 1];
        List<NodeSnapshot> all = new ArrayList<>();
        for (int i = 1; i <= 24 * 3600 / period; i++) {
            Instant at = from.plusSeconds((long) i * period).plusMillis(137);
            all.add(snapshot(node, i, at, Duration.ofSeconds(period), random, energy, level, cpu));
        }
        try (DuckDbStore store = DuckDbStore.open(directory, settings)) {
            store.append(all);
            store.seal(from.plusSeconds(25 * 3600));
        }
        try (DuckDBConnection root = new DuckDBDriver()
                        .connect("jdbc:duckdb:" + directory.resolve("fairwatch.duckdb"), new Properties())
                        .unwrap(DuckDBConnection.class);
                Session session = new Session(root.duplicate(), Duration.ofSeconds(60))) {
            for (String late :
                    session.query("SELECT name FROM sealed_file WHERE name LIKE 'gpu_%/%-1.parquet'", Cells::text)) {
                split(session, directory.resolve("sealed"), late, parts);
            }
            Sealer.nextGeneration(session);
        }
    }

    /** Every so many-th row of a sealed file into a file of its own. */
    private static void split(Session session, Path sealed, String name, int parts) throws Exception {
        String rows = "(SELECT *, row_number() OVER (ORDER BY at_ms) AS number FROM read_parquet("
                + Sources.literal(sealed.resolve(name)) + "))";
        for (int part = 0; part < parts; part++) {
            String its = name.replace("-1.parquet", "-" + (part + 2) + ".parquet");
            session.execute("COPY (SELECT * EXCLUDE (number) FROM " + rows + " WHERE number % " + parts + " = " + part
                    + ") TO " + Sources.literal(sealed.resolve(its))
                    + " (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd)");
            session.update("""
                    INSERT INTO sealed_file SELECT table_name, day, ?, row_count, bytes, min_at_ms, max_at_ms, max_period_ms,
                      version FROM sealed_file WHERE name = ?""", its, name);
        }
        session.update("DELETE FROM sealed_file WHERE name = ?", name);
        Files.delete(sealed.resolve(name));
    }

    /** How many files the readings of that node lie in. */
    private static long scattered(Path directory) throws Exception {
        try (Stream<Path> files = Files.walk(directory.resolve("sealed").resolve("gpu_reading"))) {
            return files.filter(file -> file.getFileName().toString().matches("\\d+-\\d+\\.parquet"))
                    .count();
        }
    }

    private static String uuid(int node, int gpu) {
        return "GPU-%08x-0000-0000-0000-%012x".formatted(node, gpu);
    }

    /** Utilisation that stays a while, with noise; power, temperature and clock follow it; as the wire rounds them. */
    private static NodeSnapshot snapshot(
            int node,
            long sequence,
            Instant at,
            Duration period,
            Random random,
            double[] energy,
            double[] level,
            double[] cpu) {
        List<GpuReading> gpus = new ArrayList<>();
        for (int gpu = 0; gpu < GPUS; gpu++) {
            int index = node * GPUS + gpu;
            if (random.nextInt(60) == 0) {
                level[index] = random.nextInt(4) == 0 ? 0 : random.nextDouble();
            }
            double mean = level[index] == 0 ? 0 : clipped(level[index] + random.nextGaussian() * 0.03, 10_000);
            double max = mean == 0 ? 0 : clipped(mean + 0.1 * random.nextDouble(), 100);
            double watts = Math.round((60 + 280 * mean + random.nextGaussian() * 3) * 10) / 10.0;
            energy[index] += watts * period.toSeconds();
            gpus.add(new GpuReading(
                    new GpuDevice(
                            uuid(node, gpu),
                            gpu,
                            OptionalInt.of(gpu),
                            Optional.of("00000000:%02x:00.0".formatted(gpu)),
                            "Tesla V100-SXM3-32GB",
                            OptionalLong.of(1L << 35),
                            Optional.empty()),
                    Optional.of(new Utilization(mean, max, max, 178, Utilization.Source.RING)),
                    Optional.of(new Utilization(
                            clipped(mean * 0.6, 10_000),
                            clipped(max * 0.6, 100),
                            clipped(max * 0.6, 100),
                            178,
                            Utilization.Source.RING)),
                    OptionalLong.of(level[index] == 0 ? 0 : (long) (level[index] * 32_000) << 20),
                    OptionalLong.of(500L << 20),
                    OptionalDouble.of(watts),
                    OptionalDouble.of(350),
                    OptionalDouble.of(Math.round(energy[index] * 10) / 10.0),
                    OptionalDouble.of((double) Math.round(30 + 40 * mean)),
                    OptionalDouble.of(mean == 0 ? 135e6 : 1530e6),
                    Optional.of(level[index] == 0 ? List.of() : List.of(Given.process(1000 + gpu, node + 1))),
                    Optional.<GpuDetail>empty()));
        }
        cpu[node] += period.toSeconds() * 8 * random.nextDouble();
        return Given.snapshot(
                "node-" + node,
                Given.BOOT,
                sequence,
                at,
                gpus,
                List.of(new JobCgroup(
                        node + 1,
                        Optional.empty(),
                        OptionalInt.of(21001),
                        OptionalInt.of(9),
                        OptionalDouble.of(Math.round(cpu[node] * 100) / 100.0),
                        OptionalLong.of((1L << 34) + ((long) random.nextInt(1000) << 12)),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        OptionalLong.of(1L << 36),
                        Optional.empty())));
    }

    private static double clipped(double value, double digits) {
        return Math.round(Math.min(1, Math.max(0.0001, value)) * digits) / digits;
    }

    private static void measure(String what, Question question) throws Exception {
        int times = 40;
        double[] ms = new double[times];
        double[] cpuMs = new double[times];
        var threads = ManagementFactory.getThreadMXBean();
        for (int i = -5; i < times; i++) {
            long began = System.nanoTime();
            long cpu = threads.getCurrentThreadCpuTime();
            question.ask();
            if (i >= 0) {
                cpuMs[i] = (threads.getCurrentThreadCpuTime() - cpu) / 1e6;
                ms[i] = (System.nanoTime() - began) / 1e6;
            }
        }
        Arrays.sort(ms);
        Arrays.sort(cpuMs);
        System.out.printf(
                "%s: median %.1f ms, p90 %.1f, most %.1f; CPU median %.1f%n",
                what, ms[times / 2], ms[times * 9 / 10], ms[times - 1], cpuMs[times / 2]);
    }

    private static long bytes(Path directory, String table) throws Exception {
        try (Stream<Path> files = Files.walk(directory.resolve("sealed").resolve(table))) {
            return files.filter(Files::isRegularFile)
                    .mapToLong(file -> file.toFile().length())
                    .sum();
        }
    }

    private static long files(Path directory, String table) throws Exception {
        try (Stream<Path> files = Files.walk(directory.resolve("sealed").resolve(table))) {
            return files.filter(Files::isRegularFile).count();
        }
    }
}
