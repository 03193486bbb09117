package io.fairwatch.agent.metrics;

import static io.fairwatch.agent.metrics.GivenSnapshot.gpu;
import static io.fairwatch.agent.metrics.GivenSnapshot.job;
import static io.fairwatch.agent.metrics.GivenSnapshot.minors;
import static io.fairwatch.agent.metrics.GivenSnapshot.process;
import static io.fairwatch.agent.metrics.GivenSnapshot.processes;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fairwatch.agent.metrics.GpuHolders.Holder;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.StoredAnswer.HeldGpu;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class GpuHoldersTest {
    private static final List<String> JOBS = List.of(job(1, 1001, ""), job(2, 1002, ""));

    private static Optional<Holder> holder(NodeSnapshot snapshot, HeldGpu... told) {
        return new GpuHolders(snapshot, GpuHolders.standing(snapshot, job -> true), List.of(told))
                .of(snapshot.gpus().get(0));
    }

    private static Optional<Holder> holder(List<String> jobs, String gpu, HeldGpu... told) {
        return holder(GivenSnapshot.of(List.of(gpu), jobs), told);
    }

    private static HeldGpu told(long jobId) {
        return new HeldGpu("GPU-a", jobId, OptionalInt.empty());
    }

    private static Optional<Holder> job1() {
        return Optional.of(new Holder(1, OptionalInt.of(1001)));
    }

    private static Optional<Holder> job2() {
        return Optional.of(new Holder(2, OptionalInt.of(1002)));
    }

    @Test
    @DisplayName(
            "a process on a GPU tells its job, before the collector does; the user is the job's, not the process's")
    void processFirst() {
        assertEquals(job1(), holder(JOBS, gpu("GPU-a", 0, processes(process(7, 1, "CGROUP", 5))), told(2)));
        assertEquals(job1(), holder(JOBS, gpu("GPU-a", 0, processes(process(7, 1, "ANCESTRY", 5)))));
    }

    @Test
    @DisplayName("what a process says of itself in its environment is no evidence")
    void environ() {
        assertEquals(Optional.empty(), holder(JOBS, gpu("GPU-a", 0, processes(process(7, 1, "ENVIRON", 5)))));
    }

    @Test
    @DisplayName("of several jobs on a GPU the one holds it that Slurm gave it to, else the one with most memory")
    void several() {
        String both = gpu("GPU-a", 0, processes(process(7, 1, "CGROUP", 5), process(8, 2, "CGROUP", 6)));
        assertEquals(job2(), holder(JOBS, both));
        assertEquals(job1(), holder(JOBS, both, told(1)));
    }

    @Test
    @DisplayName("where no process runs the collector tells the job, as long as the job's cgroup stands")
    void collector() {
        assertEquals(job2(), holder(JOBS, gpu("GPU-a", 0, processes()), told(2)));
        assertEquals(Optional.empty(), holder(JOBS, gpu("GPU-a", 0, processes()), told(3)));
    }

    @Test
    @DisplayName("where cgroups cannot be read the collector's word stands, with its user")
    void noCgroups() {
        assertEquals(
                Optional.of(new Holder(3, OptionalInt.of(1003))),
                holder(
                        GivenSnapshot.withoutCgroups(List.of(gpu("GPU-a", 0, processes()))),
                        new HeldGpu("GPU-a", 3, OptionalInt.of(1003))));
    }

    @Test
    @DisplayName("a GPU that the collector gives to two jobs is nobody's")
    void disputed() {
        assertEquals(Optional.empty(), holder(JOBS, gpu("GPU-a", 0, processes()), told(1), told(2)));
        assertEquals(job1(), holder(JOBS, gpu("GPU-a", 0, processes()), told(1), told(1)));
    }

    @Test
    @DisplayName("the only job that may open a device holds it; not while two may, or one does not tell")
    void device() {
        String idle = gpu("GPU-a", 8, processes());
        assertEquals(job1(), holder(List.of(job(1, 1001, minors("8, 9")), job(2, 1002, minors("10"))), idle));
        assertEquals(Optional.empty(), holder(List.of(job(1, 1001, minors("8")), job(2, 1002, minors("8"))), idle));
        assertEquals(Optional.empty(), holder(List.of(job(1, 1001, minors("8")), job(2, 1002, "")), idle));
        assertEquals(Optional.empty(), holder(List.of(job(1, 1001, minors("9"))), idle));
    }

    @Test
    @DisplayName("nobody holds a GPU by a cgroup that is gone since")
    void gone() {
        NodeSnapshot snapshot = GivenSnapshot.of(List.of(gpu("GPU-a", 0, processes(process(7, 1, "CGROUP", 5)))), JOBS);
        GpuHolders holders =
                new GpuHolders(snapshot, GpuHolders.standing(snapshot, job -> job.jobId() != 1), List.of(told(1)));
        assertEquals(Optional.empty(), holders.of(snapshot.gpus().get(0)));
    }
}
