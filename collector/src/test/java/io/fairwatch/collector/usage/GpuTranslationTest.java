package io.fairwatch.collector.usage;

import static io.fairwatch.collector.store.Given.NOON;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.process;
import static io.fairwatch.collector.store.Given.snapshot;
import static io.fairwatch.collector.store.Given.untranslated;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.JobCgroup;
import io.fairwatch.agent.wire.JobDetail;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Given;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On a node where number 0 is {@code GPU-x} by device file and {@code GPU-y} by bus. */
class GpuTranslationTest {
    private static final double HOUR = 3600;

    private Store store;
    private Instant now = at(0);
    private GpuTranslation translation;

    @BeforeEach
    void open(@TempDir Path directory) throws StoreException {
        store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
        translation = new GpuTranslation(store, () -> now);
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
    }

    private static GpuReading reading(String uuid, int index, int minorNumber, GpuProcess... processes) {
        return new GpuReading(
                new GpuDevice(
                        uuid,
                        index,
                        OptionalInt.of(minorNumber),
                        Optional.empty(),
                        "V100",
                        OptionalLong.empty(),
                        Optional.empty()),
                Optional.empty(),
                Optional.empty(),
                OptionalLong.empty(),
                OptionalLong.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                Optional.of(List.of(processes)),
                Optional.empty());
    }

    private void report(long sequence, double seconds, GpuProcess... onY) throws StoreException {
        store.append(List.of(
                snapshot("node-a", sequence, at(seconds), reading("GPU-x", 1, 0), reading("GPU-y", 0, 1, onY))));
    }

    private String translated(Run run) {
        return translation.apply(List.of(run)).get(0).gpus().toString();
    }

    private static String gpu0(String uuid, String confidence) {
        return "[AllocatedGpu[node=node-a, gresIndex=0, type=Optional.empty, uuid=" + uuid + ", confidence="
                + confidence + "]]";
    }

    @Test
    @DisplayName("the first look reaches back a day, so that jobs which are over still speak after a restart")
    void firstLook() throws StoreException {
        store.saveRuns(List.of(job(1).from(at(-21 * HOUR))
                .until(at(-19 * HOUR))
                .on(untranslated("node-a", 0))
                .run()));
        report(1, -20 * HOUR, process(1, 1));
        report(2, 0);
        now = at(1);
        assertEquals(
                gpu0("Optional[GPU-y]", "CONFIRMED"),
                translated(job(2).on(untranslated("node-a", 0)).run()));
    }

    @Test
    @DisplayName("what the node lets a job open confirms a reading before any of its processes does")
    void openToJob() throws StoreException {
        store.append(List.of(snapshot(
                "node-a",
                Given.BOOT,
                1,
                at(30),
                List.of(reading("GPU-x", 1, 0), reading("GPU-y", 0, 1)),
                List.of(mayOpen(1, 1)))));
        now = at(31);
        assertEquals(
                gpu0("Optional[GPU-y]", "CONFIRMED"),
                translated(job(1).on(untranslated("node-a", 0)).run()));
    }

    @Test
    @DisplayName("a minor number that a GPU shares with its slices says nothing")
    void slicesShareMinors() throws StoreException {
        store.append(List.of(snapshot(
                "node-a",
                Given.BOOT,
                1,
                at(30),
                List.of(reading("GPU-x", 1, 0), reading("GPU-y", 0, 1), reading("MIG-y", 0, 1)),
                List.of(mayOpen(1, 1)))));
        assertEquals(List.of(), store.gpusOpenToJobs(NOON, at(60)));
    }

    private static JobCgroup mayOpen(long jobId, int... minors) {
        JobCgroup plain = Given.cgroup(jobId, 0, 0, 0);
        return new JobCgroup(
                plain.jobId(),
                plain.sluid(),
                plain.uid(),
                plain.processes(),
                plain.cpuSeconds(),
                plain.memoryUsedBytes(),
                plain.memoryCurrentBytes(),
                plain.memoryPeakBytes(),
                plain.memoryLimitBytes(),
                Optional.of(new JobDetail(
                        OptionalInt.empty(),
                        OptionalInt.empty(),
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        OptionalDouble.empty(),
                        Optional.of(IntStream.of(minors).boxed().toList()))));
    }

    @Test
    @DisplayName("a run that is not yet in the store speaks too")
    void newRun() throws StoreException {
        report(1, 30, process(1, 1));
        now = at(31);
        assertEquals(
                gpu0("Optional[GPU-y]", "CONFIRMED"),
                translated(job(1).on(untranslated("node-a", 0)).run()));
    }

    @Test
    @DisplayName("what one look learned, the next ones know")
    void nextLook() throws StoreException {
        Run run = job(1).on(untranslated("node-a", 0)).run();
        report(1, 30, process(1, 1));
        now = at(31);
        translated(run);
        report(2, 2 * HOUR);
        now = at(2 * HOUR + 1);
        assertEquals(gpu0("Optional[GPU-y]", "CONFIRMED"), translated(run));
    }

    @Test
    @DisplayName("when the store fails, runs come back as they are")
    void storeFails() throws StoreException {
        Run run = job(1).on(untranslated("node-a", 0)).run();
        store.close();
        assertEquals(List.of(run), translation.apply(List.of(run)));
    }

    @Test
    @DisplayName("when the store fails later, what was learned still holds")
    void storeFailsLater() throws StoreException {
        Run run = job(1).on(untranslated("node-a", 0)).run();
        report(1, 30, process(1, 1));
        now = at(31);
        translated(run);
        store.close();
        assertEquals(gpu0("Optional[GPU-y]", "CONFIRMED"), translated(run));
    }
}
