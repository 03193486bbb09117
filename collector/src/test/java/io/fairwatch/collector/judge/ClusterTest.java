package io.fairwatch.collector.judge;

import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.rules.JobAllocation;
import io.fairwatch.rules.PendingFacts;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What Slurm's texts say of waiting jobs and of nodes. */
class ClusterTest {
    @ParameterizedTest(name = "[{index}] {0}")
    @DisplayName("what a waiting job asks for, in Slurm's text; what cannot be read is absent")
    @CsvSource(
            delimiter = ';',
            nullValues = "-",
            value = {
                "cpu=4,mem=10000M,node=1,billing=4,gres/gpu=2,gres/gpu:v100=2; 1; 4; 10485760000; 2; v100",
                "cpu=4,mem=64G,node=2,gres/gpu=2; 2; 4; 68719476736; 2; -",
                "cpu=1,mem=3800,node=1; 1; 1; 3984588800; -; -",
                "cpu=1,mem=1.50T,node=1; 1; 1; 1649267441664; -; -",
                "gres/gpu=3,gres/gpu:a=1,gres/gpu:b=2; -; -; -; 3; -",
                "cpu=many,mem=,node=-1,gres/gpu=99999999999; -; -; -; -; -",
                "''; -; -; -; -; -",
                "=,,cpu,mem=4X; -; -; -; -; -",
            })
    void asked(String text, Integer nodes, Integer cpus, Long memory, Integer gpus, String model) {
        Asked asked = Asked.parse(text);
        assertEquals(nodes == null ? OptionalInt.empty() : OptionalInt.of(nodes), asked.nodes());
        assertEquals(cpus == null ? OptionalInt.empty() : OptionalInt.of(cpus), asked.cpus());
        assertEquals(memory == null ? OptionalLong.empty() : OptionalLong.of(memory), asked.memoryBytes());
        assertEquals(gpus == null ? OptionalInt.empty() : OptionalInt.of(gpus), asked.gpus());
        assertEquals(Optional.ofNullable(model), asked.gpuModel());
    }

    private static SlurmNode node(String name, String state, int gpus, String gres) {
        return new SlurmNode(
                name,
                state,
                OptionalInt.of(96),
                OptionalLong.of(1500L << 30),
                gpus < 0 ? OptionalInt.empty() : OptionalInt.of(gpus),
                gres);
    }

    private static PendingJob waits(long id, String request) {
        return new PendingJob(
                "lab",
                id,
                Long.toString(id),
                new Run.Owner("eve", OptionalInt.empty(), "its", "batch", ""),
                "x",
                at(0),
                "Resources",
                request);
    }

    private static Cluster cluster(List<PendingJob> pending, List<SlurmNode> nodes, Run... holding) {
        return new Cluster(new SlurmView(at(0), "lab", List.of(), pending, nodes), List.of(holding));
    }

    @Test
    @DisplayName("who waits for a kind of GPU, and how many are free on nodes that take jobs")
    void queue() {
        Cluster cluster = cluster(
                List.of(
                        waits(1, "cpu=1,gres/gpu=2,gres/gpu:v100=2"),
                        waits(2, "cpu=1,gres/gpu=1"),
                        waits(3, "cpu=1,gres/gpu=4,gres/gpu:a100=4"),
                        waits(4, "cpu=8")),
                List.of(
                        node("node-a", "mixed", 4, "gpu:v100:4(S:0-1)"),
                        node("node-b", "idle+drain", 4, "gpu:v100:4"),
                        node("node-c", "idle", 3, "gpu:a100:2,gpu:v100:1")),
                job(9).on(allocated("node-a", 0, "GPU-a")).run());
        assertEquals(4, cluster.queue(Optional.of("v100")).gpusFree().orElseThrow(), "3 of node-a, 1 of node-c");
        assertEquals(2, cluster.queue(Optional.of("v100")).jobsWaiting().orElseThrow());
        assertEquals(3, cluster.queue(Optional.of("v100")).gpusWanted().orElseThrow());
        assertEquals(2, cluster.queue(Optional.of("a100")).gpusFree().orElseThrow());
        assertEquals(3, cluster.queue(Optional.empty()).jobsWaiting().orElseThrow());
        assertEquals(7, cluster.queue(Optional.empty()).gpusWanted().orElseThrow());
        assertEquals(6, cluster.queue(Optional.empty()).gpusFree().orElseThrow(), "3 of node-a, 3 of node-c");
    }

    @Test
    @DisplayName("a waiting job's places are open nodes of its partition with GPUs of its kind that nobody holds")
    void places() {
        Run holder = job(9).on(allocated("node-a", 0, "GPU-a"))
                .cpus(90)
                .memory(1400L << 30)
                .run();
        Run other = job(10).on(allocated("node-b", 0, "GPU-b")).run();
        Cluster cluster = cluster(
                List.of(),
                List.of(
                        node("node-a", "mixed", 2, "gpu:2"),
                        node("node-b", "mixed", 1, "gpu:1"),
                        node("node-c", "idle", 8, "gpu:8")),
                holder,
                other);
        List<PendingFacts.Place> places = cluster.places("batch", Optional.empty());
        assertEquals(
                List.of(new PendingFacts.Place(
                        "node-a",
                        2,
                        OptionalInt.of(96),
                        OptionalLong.of(1500L << 30),
                        1,
                        OptionalInt.of(6),
                        OptionalLong.of(100L << 30))),
                places,
                "node-b is full, and no job of the partition was seen on node-c");
        assertEquals(List.of(), cluster.places("other", Optional.empty()));
        assertEquals(List.of(), cluster.places("batch", Optional.of("v100")));
    }

    @Test
    @DisplayName("what Slurm says that it gave of a node is not free, though its runs add up to less")
    void wholeCores() {
        SlurmNode node = new SlurmNode(
                "node-a",
                "mixed",
                OptionalInt.of(96),
                OptionalLong.of(1500L << 30),
                OptionalInt.of(2),
                "gpu:2",
                new SlurmNode.Given(OptionalInt.of(94), OptionalLong.of(1450L << 30), OptionalInt.of(1)));
        Run holder = job(9).on(allocated("node-a", 0, "GPU-a"))
                .cpus(47)
                .memory(1400L << 30)
                .run();
        PendingFacts.Place place = cluster(List.of(), List.of(node), holder)
                .places("batch", Optional.empty())
                .get(0);
        assertEquals(OptionalInt.of(2), place.cpusFree());
        assertEquals(OptionalLong.of(50L << 30), place.memoryFreeBytes());
    }

    @Test
    @DisplayName("a share is told of the node with the most CPUs for each GPU, and of none where one is not known")
    void shape() {
        Run both = job(9).on(allocated("node-a", 0, "GPU-a"), allocated("node-b", 0, "GPU-b"))
                .run();
        List<SlurmNode> nodes = List.of(
                node("node-a", "mixed", 16, "gpu:16"),
                node("node-b", "mixed", 8, "gpu:8"),
                node("node-x", "mixed", -1, ""));
        assertEquals(OptionalInt.of(8), cluster(List.of(), nodes).shapeOf(both).nodeGpus());
        assertEquals(
                JobAllocation.Shape.NOT_KNOWN,
                cluster(List.of(), nodes)
                        .shapeOf(job(9).on(allocated("node-z", 0, "GPU-z")).run()));
    }

    @Test
    @DisplayName("where Slurm manages no GPUs of a node that has some, it is not said that a job there was given none")
    void unmanaged() {
        Run chooses = job(9).run(); // on node-a, given none
        SlurmView view = new SlurmView(
                at(0),
                "lab",
                List.of(),
                List.of(),
                List.of(node("node-a", "mixed", -1, ""), node("node-b", "mixed", 8, "gpu:8")));
        Cluster cluster = new Cluster(view, List.of(chooses), Map.of("node-a", 2, "node-b", 8));
        assertTrue(cluster.choosesGpus(chooses));
        assertEquals(OptionalInt.empty(), cluster.gpusGiven(chooses));
        Run managed = job(10).on(allocated("node-b", 0, "GPU-b")).run();
        assertFalse(cluster.choosesGpus(managed));
        assertEquals(OptionalInt.of(1), cluster.gpusGiven(managed));
        assertEquals(OptionalInt.of(0), new Cluster(view, List.of(chooses)).gpusGiven(chooses), "no agent saw any");
    }
}
