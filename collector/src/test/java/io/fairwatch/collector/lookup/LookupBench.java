package io.fairwatch.collector.lookup;

import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.lookup.HoldLookup.Filter;
import io.fairwatch.collector.lookup.HoldLookup.Holdings;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Given;
import io.fairwatch.collector.store.GivenRun;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.usage.LiveRuns;
import io.fairwatch.collector.usage.LiveUse;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Measures what people ask for on this machine: a running job, and all idle GPUs, of a cluster in its last minutes.
 * Arguments: an empty directory, nodes of 8 GPUs, minutes, and {@code memory} to keep readings in memory alone. Started by {@code deploy/bench/store --lookup}. Time is CPU time
 * of the asking thread, which is all there is but for the list of idle GPUs: the database has no thread of its own here.
 */
public final class LookupBench {
    private static final int GPUS = 8;
    private static final Instant BEGIN = Instant.parse("2026-01-01T00:00:00Z");
    private static final double BUSY = 0.01;

    private LookupBench() {}

    private interface Question {
        Object ask(int time) throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        int nodes = Integer.parseInt(arguments[1]);
        int ticks = Integer.parseInt(arguments[2]) * 2;
        DuckDbStore.Settings settings = new DuckDbStore.Settings(1, 512, 128, Duration.ofSeconds(60));
        boolean stored = arguments.length < 4 || !arguments[3].equals("memory");
        Random random = new Random(4711);
        try (DuckDbStore store = DuckDbStore.open(Path.of(arguments[0]), settings)) {
            LiveUse use = new LiveUse(BUSY);
            LiveRuns live = new LiveRuns(BUSY);
            List<Run> runs = IntStream.range(0, nodes * GPUS)
                    .mapToObj(i -> run(i, BEGIN))
                    .toList();
            Instant now = BEGIN.plusSeconds(30L * ticks + 10);
            store.saveView(view(BEGIN, runs));
            live.follow(store, store.liveRuns(), BEGIN);
            for (int tick = 1; tick <= ticks; tick++) {
                List<NodeSnapshot> sent = new ArrayList<>();
                for (int node = 0; node < nodes; node++) {
                    sent.add(snapshot(node, tick, random));
                }
                if (stored) {
                    store.append(sent);
                }
                use.take(sent);
                live.take(sent);
            }
            store.saveView(view(now, runs));
            System.out.printf(
                    "%d nodes x %d GPUs, a job each, %d minutes every 30 s; CPU time, median and 90 of 100%n",
                    nodes, GPUS, ticks / 2);
            JobLookup.Settings looks = new JobLookup.Settings(BUSY, Duration.ofMinutes(5));
            ask("from memory", new JobLookup(store, () -> now, looks, live), runs.size());
            if (stored) {
                ask("from the store", new JobLookup(store, () -> now, looks), runs.size());
            }
            HoldLookup holds = new HoldLookup(store, () -> now, use);
            measure("list of all idle GPUs", 20, time -> {
                Holdings held = holds.held(Filter.ALL);
                return holds.idle(held).size();
            });
            measure("Slurm's answer saved, the same jobs", 5, time -> {
                store.saveView(view(now.plusSeconds(15L * (time + 10)), runs));
                return 0;
            });
            measure("Slurm's answer saved, 1 of 100 jobs is another", 5, time -> {
                List<Run> others = new ArrayList<>(runs);
                for (int i = time + 9; i < others.size(); i += 100) {
                    others.set(i, run(i, BEGIN.plusSeconds(60)));
                }
                store.saveView(view(now.plusSeconds(15L * (time + 30)), others));
                return 0;
            });
            if (stored) {
                measure("running jobs taken up after a start, at most 4,000", 1, time -> new LiveRuns(BUSY)
                        .follow(store, store.liveRuns().subList(0, Math.min(4_000, runs.size())), now));
            }
            Runtime runtime = Runtime.getRuntime();
            System.gc();
            System.out.printf("heap in use %d MiB%n", (runtime.totalMemory() - runtime.freeMemory()) >> 20);
            if (use.usedLately().isEmpty() && live.hashCode() == 0) {
                throw new AssertionError("both are still needed");
            }
        }
    }

    private static void ask(String from, JobLookup jobs, int many) throws Exception {
        JobText text = new JobText(ZoneOffset.UTC);
        Strip strip = new Strip(80, true, BUSY);
        measure(
                "a running job, lines alone, " + from,
                40,
                time -> text.csv(((JobLookup.Answer.Found) jobs.find(id(time, many))).views()));
        measure("a running job, the page with its strip, " + from, 40, time -> {
            JobLookup.Answer.Found found = (JobLookup.Answer.Found) jobs.find(id(time, many));
            return text.page(found, jobs.strips(found, strip, ZoneOffset.UTC));
        });
    }

    private static String id(int time, int many) {
        return Integer.toString(1 + Math.floorMod(time * 7919, many));
    }

    private static Run run(int gpu, Instant start) {
        AllocatedGpu given = Given.allocated("node-" + gpu / GPUS, gpu % GPUS, uuid(gpu));
        return GivenRun.job(1 + gpu).from(start).asOf(start).on(given).run();
    }

    private static SlurmView view(Instant at, List<Run> runs) {
        return new SlurmView(at, "lab", runs.stream().map(run -> run.asOf(at)).toList(), List.of(), List.of());
    }

    private static String uuid(int gpu) {
        return "GPU-%08x-0000-0000-0000-%012x".formatted(gpu / GPUS, gpu % GPUS);
    }

    private static NodeSnapshot snapshot(int node, int tick, Random random) {
        List<GpuReading> gpus = new ArrayList<>();
        for (int i = 0; i < GPUS; i++) {
            int gpu = node * GPUS + i;
            double busy = gpu % 4 == 0 ? 0 : random.nextDouble();
            gpus.add(Given.gpu(uuid(gpu), busy, 3000.0 * tick, Given.process(1000 + i, 1 + gpu)));
        }
        return Given.snapshot(
                "node-" + node,
                Given.BOOT,
                tick,
                BEGIN.plusSeconds(30L * tick),
                gpus,
                IntStream.range(0, GPUS)
                        .mapToObj(i -> Given.cgroup(1 + node * GPUS + i, 20.0 * tick, 1L << 30, 5))
                        .toList());
    }

    private static void measure(String what, int times, Question question) throws Exception {
        var threads = ManagementFactory.getThreadMXBean();
        double[] ms = new double[times];
        double[] wall = new double[times];
        for (int i = times == 1 ? 0 : -8; i < times; i++) {
            long began = threads.getCurrentThreadCpuTime();
            long at = System.nanoTime();
            question.ask(i);
            if (i >= 0) {
                wall[i] = (System.nanoTime() - at) / 1e6;
                ms[i] = (threads.getCurrentThreadCpuTime() - began) / 1e6;
            }
        }
        Arrays.sort(ms);
        Arrays.sort(wall);
        System.out.printf(
                "%-66s %8.1f %8.1f ms; by the clock %8.1f%n", what, ms[times / 2], ms[times * 9 / 10], wall[times / 2]);
    }
}
