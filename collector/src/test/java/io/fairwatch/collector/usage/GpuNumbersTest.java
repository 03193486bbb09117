package io.fairwatch.collector.usage;

import static io.fairwatch.collector.store.Given.NOON;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.untranslated;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.AllocatedGpu.Confidence;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.store.GpuSeen;
import io.fairwatch.collector.store.JobOnGpu;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/**
 * Most nodes here have two GPUs whose minor numbers run against the bus, as DGX-2 has them: number 0 is {@code GPU-x} by
 * device file and {@code GPU-y} by bus.
 */
class GpuNumbersTest {
    private static final GpuDevice X = device("GPU-x", 1, 0);
    private static final GpuDevice Y = device("GPU-y", 0, 1);

    private final GpuNumbers numbers = new GpuNumbers();

    private static GpuDevice device(String uuid, int index, int minorNumber) {
        return new GpuDevice(
                uuid,
                index,
                OptionalInt.of(minorNumber),
                Optional.empty(),
                "V100",
                OptionalLong.of(1L << 35),
                Optional.empty());
    }

    private static GpuDevice withoutMinor(String uuid, int index) {
        return new GpuDevice(
                uuid, index, OptionalInt.empty(), Optional.empty(), "V100", OptionalLong.empty(), Optional.empty());
    }

    private static List<GpuSeen> seenOn(String node, Instant at, GpuDevice... devices) {
        List<GpuSeen> seen = new ArrayList<>();
        for (GpuDevice device : devices) {
            seen.add(new GpuSeen(node, device, at));
        }
        return seen;
    }

    private static List<GpuSeen> onNodeA(GpuDevice... devices) {
        return seenOn("node-a", at(600), devices);
    }

    private static SlurmNode slurm(String node, int gpus) {
        return new SlurmNode(
                node, "mixed", OptionalInt.of(96), OptionalLong.empty(), OptionalInt.of(gpus), "gpu:" + gpus);
    }

    private static Run holding(long jobId, int... indexes) {
        AllocatedGpu[] gpus = new AllocatedGpu[indexes.length];
        for (int i = 0; i < indexes.length; i++) {
            gpus[i] = untranslated("node-a", indexes[i]);
        }
        return job(jobId).on(gpus).run();
    }

    private static JobOnGpu process(long jobId, String uuid) {
        return new JobOnGpu(jobId, "node-a", uuid, at(30), at(600));
    }

    private void learn(int slurmCounts, List<GpuSeen> gpus, List<Run> runs, JobOnGpu... seen) {
        numbers.learn(runs, List.of(slurm("node-a", slurmCounts)), gpus, List.of(seen));
    }

    /** E.g. {@code GPU-x CONFIRMED}; {@code - UNKNOWN} without a device. */
    private String meaning(String node, int index) {
        AllocatedGpu gpu = numbers.translate(
                        List.of(job(99).on(untranslated(node, index)).run()))
                .get(0)
                .gpus()
                .get(0);
        return gpu.uuid().orElse("-") + " " + gpu.confidence();
    }

    private String meaning(int index) {
        return meaning("node-a", index);
    }

    @Test
    @DisplayName("where files and bus agree there is nothing to confuse, whatever processes do")
    void certain() {
        learn(2, onNodeA(device("GPU-p", 0, 0), device("GPU-q", 1, 1)), List.of(holding(1, 0)), process(1, "GPU-q"));
        assertEquals("GPU-p CERTAIN", meaning(0));
        assertEquals("GPU-q CERTAIN", meaning(1));
    }

    @Test
    @DisplayName("where they differ and no process speaks, the order of files is assumed")
    void assumed() {
        learn(2, onNodeA(X, Y), List.of(holding(1, 0)));
        assertEquals("GPU-x ASSUMED", meaning(0));
        assertEquals("GPU-y ASSUMED", meaning(1));
    }

    @Test
    @DisplayName("a process that only the order of files explains confirms it, for all numbers of the node")
    void filesConfirmed() {
        learn(2, onNodeA(X, Y), List.of(holding(1, 0)), process(1, "GPU-x"));
        assertEquals("GPU-x CONFIRMED", meaning(0));
        assertEquals("GPU-y CONFIRMED", meaning(1));
    }

    @Test
    @DisplayName("a process that only the order of the bus explains confirms that")
    void busConfirmed() {
        learn(2, onNodeA(X, Y), List.of(holding(1, 0)), process(1, "GPU-y"));
        assertEquals("GPU-y CONFIRMED", meaning(0));
        assertEquals("GPU-x CONFIRMED", meaning(1));
    }

    @Test
    @DisplayName("processes for both orders contradict each other, and a person has to look")
    void bothKinds() {
        learn(2, onNodeA(X, Y), List.of(holding(1, 0), holding(2, 0)), process(1, "GPU-x"), process(2, "GPU-y"));
        assertEquals("GPU-x CONTRADICTED", meaning(0));
    }

    @Test
    @DisplayName("a process on a card of none of its job's numbers contradicts: devices are not constrained there")
    void strayProcess() {
        learn(
                3,
                onNodeA(device("GPU-x", 1, 0), device("GPU-y", 0, 1), device("GPU-z", 2, 2)),
                List.of(holding(1, 0)),
                process(1, "GPU-z"));
        assertEquals("GPU-x CONTRADICTED", meaning(0));
    }

    @Test
    @DisplayName("a stray process makes the confirmed order doubtful, and does not put the other in its place")
    void strayBesideBus() {
        List<GpuSeen> three = onNodeA(device("GPU-x", 1, 0), device("GPU-y", 0, 1), device("GPU-z", 2, 2));
        List<Run> runs = List.of(holding(1, 0), holding(2, 1));
        learn(3, three, runs, process(1, "GPU-y"), process(2, "GPU-z"));
        assertEquals("GPU-y CONTRADICTED", meaning(0));
        // in the next look only the stray one is seen
        learn(3, three, runs, process(2, "GPU-z"));
        assertEquals("GPU-y CONTRADICTED", meaning(0));
        // and is gone
        learn(3, three, runs, process(1, "GPU-y"));
        assertEquals("GPU-y CONFIRMED", meaning(0));
    }

    @Test
    @DisplayName("a job that holds both candidates says nothing")
    void holdsBoth() {
        learn(2, onNodeA(X, Y), List.of(holding(1, 0, 1)), process(1, "GPU-x"), process(1, "GPU-y"));
        assertEquals("GPU-x ASSUMED", meaning(0));
    }

    @Test
    @DisplayName("a process of a job that Slurm gave nothing there says nothing")
    void notItsNode() {
        learn(2, onNodeA(X, Y), List.of(job(1).on(untranslated("node-b", 0)).run()), process(1, "GPU-y"));
        learn(2, onNodeA(X, Y), List.of(), process(2, "GPU-y"));
        assertEquals("GPU-x ASSUMED", meaning(0));
    }

    @Test
    @DisplayName(
            "a requeued job's earlier run explains what was seen of it, not the later one that holds another number")
    void requeued() {
        Run earlier = job(1).until(at(300)).on(untranslated("node-a", 0)).run();
        Run later = job(1).from(at(310)).on(untranslated("node-a", 1)).run();
        JobOnGpu seenEarlier = new JobOnGpu(1, "node-a", "GPU-y", at(30), at(300));
        learn(2, onNodeA(X, Y), List.of(earlier, later), seenEarlier);
        assertEquals("GPU-y CONFIRMED", meaning(0));
        JobOnGpu seenLater = new JobOnGpu(1, "node-a", "GPU-x", at(330), at(600));
        learn(2, onNodeA(X, Y), List.of(earlier, later), seenEarlier, seenLater);
        assertEquals("GPU-y CONFIRMED", meaning(0));
    }

    @Test
    @DisplayName("what spans two runs of a job speaks for neither")
    void acrossRequeue() {
        Run earlier = job(1).until(at(300)).on(untranslated("node-a", 0)).run();
        Run later = job(1).from(at(310)).on(untranslated("node-a", 1)).run();
        learn(2, onNodeA(X, Y), List.of(earlier, later), new JobOnGpu(1, "node-a", "GPU-y", at(30), at(600)));
        assertEquals("GPU-x ASSUMED", meaning(0));
    }

    @Test
    @DisplayName("what was confirmed stays so while nobody speaks and the devices stay")
    void remembered() {
        learn(2, onNodeA(X, Y), List.of(holding(1, 0)), process(1, "GPU-y"));
        learn(2, seenOn("node-a", at(630), X, Y), List.of());
        assertEquals("GPU-y CONFIRMED", meaning(0));
    }

    @Test
    @DisplayName("it is forgotten when a device is another one")
    void forgotten() {
        learn(2, onNodeA(X, Y), List.of(holding(1, 0)), process(1, "GPU-y"));
        learn(2, seenOn("node-a", at(630), X, device("GPU-new", 0, 1)), List.of());
        assertEquals("GPU-x ASSUMED", meaning(0));
        assertEquals("GPU-new ASSUMED", meaning(1));
    }

    @Test
    @DisplayName("it is forgotten when the same devices change numbers at boot")
    void renumbered() {
        GpuDevice z = device("GPU-z", 2, 2);
        learn(3, onNodeA(X, Y, z), List.of(holding(1, 0)), process(1, "GPU-y"));
        learn(3, onNodeA(device("GPU-x", 2, 0), Y, device("GPU-z", 1, 2)), List.of());
        assertEquals("GPU-x ASSUMED", meaning(0));
        assertEquals("GPU-z ASSUMED", meaning(2));
    }

    @Test
    @DisplayName("a node that has lost a card: a number is the minor number itself")
    void lostCard() {
        learn(4, onNodeA(device("GPU-p", 0, 0), device("GPU-r", 1, 2), device("GPU-s", 2, 3)), List.of());
        assertEquals("GPU-p ASSUMED", meaning(0));
        assertEquals("- UNKNOWN", meaning(1));
        assertEquals("GPU-r ASSUMED", meaning(2));
        assertEquals("GPU-s ASSUMED", meaning(3));
    }

    @Test
    @DisplayName("a device that the newest report no longer names is gone")
    void gone() {
        List<GpuSeen> gpus = new ArrayList<>(seenOn("node-a", at(570), device("GPU-q", 1, 1)));
        gpus.addAll(onNodeA(device("GPU-p", 0, 0), device("GPU-r", 1, 2)));
        learn(3, gpus, List.of());
        assertEquals("- UNKNOWN", meaning(1));
        assertEquals("GPU-r ASSUMED", meaning(2));
    }

    @Test
    @DisplayName("what was confirmed of the cards that are left holds on when one is lost under running jobs")
    void lostAfterConfirmation() {
        GpuDevice p = device("GPU-p", 0, 2);
        GpuDevice q = device("GPU-q", 1, 1);
        GpuDevice r = device("GPU-r", 2, 0);
        Run run = holding(1, 2);
        learn(3, onNodeA(p, q, r), List.of(run), process(1, "GPU-r"));
        assertEquals("GPU-r CONFIRMED", meaning(2));
        // the first on the bus falls off, and the others move up in NVML's order
        learn(
                3,
                seenOn("node-a", at(630), device("GPU-q", 0, 1), device("GPU-r", 1, 0)),
                List.of(run),
                process(1, "GPU-r"));
        assertEquals("GPU-r CONFIRMED", meaning(2));
        // Slurm is told to do without it
        learn(2, seenOn("node-a", at(660), device("GPU-q", 0, 1), device("GPU-r", 1, 0)), List.of());
        assertEquals("- UNKNOWN", meaning(2));
        assertEquals("GPU-r ASSUMED", meaning(0));
    }

    @Test
    @DisplayName("what was assumed before Slurm's count of the node was known is assumed anew")
    void countComesLate() {
        List<GpuSeen> gpus = onNodeA(device("GPU-p", 0, 0), device("GPU-r", 1, 2), device("GPU-s", 2, 4));
        numbers.learn(List.of(), List.of(), gpus, List.of());
        learn(5, gpus, List.of());
        assertEquals("GPU-r ASSUMED", meaning(2));
        assertEquals("GPU-s ASSUMED", meaning(4));
    }

    @Test
    @DisplayName(
            "a node whose driver tells no minor numbers is not guessed at; a process confirms the order of the bus")
    void noMinorNumbers() {
        List<GpuSeen> gpus = onNodeA(withoutMinor("GPU-p", 0), withoutMinor("GPU-q", 1));
        learn(2, gpus, List.of(holding(1, 1)));
        assertEquals("- UNKNOWN", meaning(1));
        learn(2, gpus, List.of(holding(1, 1)), process(1, "GPU-q"));
        assertEquals("GPU-q CONFIRMED", meaning(1));
        assertEquals("GPU-p CONFIRMED", meaning(0));
    }

    @Test
    @DisplayName("one device without a minor number does not move the numbers of the others")
    void oneWithoutMinorNumber() {
        learn(3, onNodeA(device("GPU-p", 0, 0), withoutMinor("GPU-q", 1), device("GPU-r", 2, 2)), List.of());
        assertEquals("GPU-p ASSUMED", meaning(0));
        assertEquals("- UNKNOWN", meaning(1));
        assertEquals("GPU-r ASSUMED", meaning(2));
    }

    @Test
    @DisplayName("files count from 0 even where minor numbers do not")
    void minorNumbersWithGaps() {
        learn(2, onNodeA(device("GPU-p", 1, 4), device("GPU-q", 0, 7)), List.of());
        assertEquals("GPU-p ASSUMED", meaning(0));
        assertEquals("GPU-q ASSUMED", meaning(1));
    }

    @Test
    @DisplayName("a node that Slurm has not told of is taken to be complete")
    void unknownToSlurm() {
        numbers.learn(List.of(), List.of(slurm("node-b", 9)), onNodeA(X, Y), List.of());
        assertEquals("GPU-x ASSUMED", meaning(0));
    }

    @Test
    @DisplayName("a number of a node that never reported stays as it was")
    void neverReported() {
        assertEquals("- UNKNOWN", meaning("node-z", 0));
        Run known = job(1).on(
                        new AllocatedGpu("node-z", 0, Optional.of("v100"), Optional.of("GPU-9"), Confidence.CONFIRMED))
                .run();
        assertEquals(List.of(known), numbers.translate(List.of(known)));
    }

    @Test
    @DisplayName("each node of a job is decided by itself, and type and place of a GPU are kept")
    void severalNodes() {
        Run run = job(1).on(
                        new AllocatedGpu("node-b", 1, Optional.of("v100"), Optional.empty(), Confidence.UNKNOWN),
                        untranslated("node-a", 0))
                .run();
        List<GpuSeen> gpus = new ArrayList<>(onNodeA(X, Y));
        gpus.addAll(seenOn("node-b", at(615), device("GPU-p", 0, 0), device("GPU-q", 1, 1)));
        numbers.learn(
                List.of(run),
                List.of(slurm("node-a", 2), slurm("node-b", 2)),
                gpus,
                List.of(
                        new JobOnGpu(1, "node-a", "GPU-y", NOON, at(600)),
                        new JobOnGpu(1, "node-b", "GPU-q", NOON, at(600))));
        assertEquals(
                List.of(
                        new AllocatedGpu("node-b", 1, Optional.of("v100"), Optional.of("GPU-q"), Confidence.CERTAIN),
                        new AllocatedGpu("node-a", 0, Optional.empty(), Optional.of("GPU-y"), Confidence.CONFIRMED)),
                numbers.translate(List.of(run)).get(0).gpus());
    }
}
