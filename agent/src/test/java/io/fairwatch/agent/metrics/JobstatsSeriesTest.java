package io.fairwatch.agent.metrics;

import static io.fairwatch.agent.metrics.GivenSnapshot.gpu;
import static io.fairwatch.agent.metrics.GivenSnapshot.job;
import static io.fairwatch.agent.metrics.GivenSnapshot.process;
import static io.fairwatch.agent.metrics.GivenSnapshot.processes;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.metrics.Exposition.Sample;
import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.StoredAnswer.HeldGpu;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What jobstats and its kin rely on, one by one. */
class JobstatsSeriesTest {
    private final Set<Long> gone = ConcurrentHashMap.newKeySet();
    private final AgentMetrics metrics = new AgentMetrics(
            () -> GivenSnapshot.AT,
            new AgentMetrics.Switches(true, false),
            "1",
            cgroup -> !gone.contains(cgroup.jobId()));

    private Exposition page(NodeSnapshot snapshot) {
        metrics.taken(OwnCost.UNKNOWN, snapshot);
        return Exposition.parse(metrics.text());
    }

    private Exposition page(List<String> gpus, List<String> jobs) {
        return page(GivenSnapshot.of(gpus, jobs));
    }

    private static String busy(double ratio) {
        return """
                , "utilization": {"mean_ratio": %s, "max_ratio": 1, "last_ratio": 0, "samples": 9, "source": "RING"}
                """.formatted(ratio);
    }

    @Test
    @DisplayName("every series of theirs is a gauge")
    void types() {
        page(List.of(gpu("GPU-a", 0, busy(0.5))), List.of(job(1, 1001, ", \"cpu_seconds\": 1.5")))
                .types()
                .forEach((name, type) -> {
                    if (name.startsWith("nvidia_") || name.startsWith("cgroup_")) {
                        assertEquals("gauge", type, name);
                    }
                });
    }

    @Test
    @DisplayName("a job without a limit has the node's memory, never -1")
    void unlimited() {
        Exposition page =
                page(List.of(), List.of(job(1, 1001, ""), job(2, 1001, ", \"memory_limit_bytes\": 68719476736")));
        assertEquals(
                1578000000000.0,
                page.only("cgroup_memory_total_bytes", "jobid", "1").value());
        assertEquals(
                68719476736.0,
                page.only("cgroup_memory_total_bytes", "jobid", "2").value());
    }

    @Test
    @DisplayName("anonymous and shared memory have the same labels, because they are added")
    void addable() {
        Exposition page = page(List.of(), List.of(job(1, 1001, """
                        , "memory_used_bytes": 30,
                        "detail": {"memory_anonymous_bytes": 20, "memory_shared_bytes": 10}
                        """)));
        Sample rss = page.only("cgroup_memory_rss_bytes", "jobid", "1");
        Sample shmem = page.only("cgroup_memory_shmem_bytes", "jobid", "1");
        assertEquals(Map.of("jobid", "1", "step", "", "task", ""), rss.labels());
        assertEquals(rss.labels(), shmem.labels());
        assertEquals(30, rss.value() + shmem.value());
    }

    @Test
    @DisplayName("where only their sum is known it counts once")
    void sumOnly() {
        Exposition page = page(List.of(), List.of(job(1, 1001, ", \"memory_used_bytes\": 30")));
        assertEquals(30, page.only("cgroup_memory_rss_bytes", "jobid", "1").value());
        assertEquals(List.of(), page.of("cgroup_memory_shmem_bytes"));
    }

    @ParameterizedTest(name = "{0} is {1} %")
    @DisplayName("use is a whole percent, which is all that gpudash reads, and a little of it is not none")
    @CsvSource({"0, 0", "0.0001, 1", "0.014, 1", "0.5549, 55", "1, 100"})
    void wholePercent(double ratio, double percent) {
        assertEquals(
                percent,
                page(List.of(gpu("GPU-a", 0, busy(ratio))), List.of())
                        .only("nvidia_gpu_duty_cycle", "uuid", "GPU-a")
                        .value());
    }

    @Test
    @DisplayName("what holds clocks down is one series of NVML's bits, with all names in its label")
    void clockReasons() {
        Exposition page = page(
                List.of(
                        gpu(
                                "GPU-a",
                                0,
                                ", \"detail\": {\"clock_limits\": [\"hw_thermal_slowdown\", \"sw_power_cap\"]}"),
                        gpu("GPU-b", 1, ", \"detail\": {\"clock_limits\": []}"),
                        gpu("GPU-c", 2, "")),
                List.of());
        Sample hot = page.only("nvidia_gpu_clock_event_reason", "uuid", "GPU-a");
        assertEquals("swpowercap,hwthermalslowdown", hot.label("reason"));
        assertEquals(0x44, hot.value()); // their alert asks for slowdown in the label and more than 31
        Sample free = page.only("nvidia_gpu_clock_event_reason", "uuid", "GPU-b");
        assertEquals("none", free.label("reason"));
        assertEquals(0, free.value());
        assertEquals(2, page.of("nvidia_gpu_clock_event_reason").size());
    }

    @Test
    @DisplayName("an idle GPU has the same labels as a busy one, without job and user")
    void idle() {
        Exposition page = page(
                List.of(gpu("GPU-a", 0, processes(process(7, 1, "CGROUP", 5))), gpu("GPU-b", 1, processes())),
                List.of(job(1, 1001, "")));
        Sample held = page.only("nvidia_gpu_memory_total_bytes", "uuid", "GPU-a");
        Sample idle = page.only("nvidia_gpu_memory_total_bytes", "uuid", "GPU-b");
        assertEquals(held.labels().keySet(), idle.labels().keySet());
        assertEquals("1 1001", held.label("jobid") + " " + held.label("userid"));
        assertEquals(" ", idle.label("jobid") + " " + idle.label("userid"));
        Sample jobId = page.only("nvidia_gpu_jobId", "jobid", "1");
        assertEquals(held.labels(), jobId.labels()); // the join of their older mode
        assertEquals(1, jobId.value());
        assertEquals(1, page.of("nvidia_gpu_jobId").size());
    }

    @Test
    @DisplayName("slices have their card's minor number, power and temperature; the card itself is nobody's")
    void mig() {
        String slice = """
                {"device": {"uuid": "MIG-1", "index": 3, "name": "H100 MIG 1g.10gb",
                  "mig": {"parent_uuid": "GPU-a", "gpu_instance_id": 7, "compute_instance_id": 0}},
                 "memory_used_bytes": 5,
                 "detail": {"activity": {"graphics_ratio": 0.9}},
                 "processes": [{"pid": 7, "kind": "COMPUTE", "job": {"job_id": 1, "evidence": "CGROUP"}}]}
                """;
        String detail = "\"detail\": {\"health\": {\"ecc_corrected\": 3}}";
        metrics.held(List.of(new HeldGpu("GPU-a", 1, OptionalInt.empty())));
        Exposition page = page(
                List.of(gpu("GPU-a", 3, ", \"power_watts\": 301.4, \"temperature_celsius\": 61, " + detail), slice),
                List.of(job(1, 1001, GivenSnapshot.minors("3"))));
        Sample power = page.only("nvidia_gpu_power_usage_milliwatts", "uuid", "MIG-1");
        assertEquals(301400, power.value());
        assertEquals("3", power.label("minor_number"));
        assertEquals("7", power.label("GPU_I_ID"));
        assertEquals("1", power.label("jobid"));
        assertEquals(
                "",
                page.only("nvidia_gpu_power_usage_milliwatts", "uuid", "GPU-a").label("jobid"));
        assertEquals(
                0.9,
                page.only("nvidia_gpu_graphics_util_percent", "uuid", "MIG-1").value());
        assertEquals(List.of(), page.of("nvidia_gpu_duty_cycle"));
        assertEquals(1, page.of("nvidia_gpu_ecc_errors").size()); // of the card, told once
    }

    @Test
    @DisplayName("a GPU whose minor number is not told has its index for it, because their key must not be empty")
    void noMinor() {
        Exposition page = page(
                List.of(
                        "{\"device\": {\"uuid\": \"GPU-a\", \"index\": 4, \"name\": \"H100\", \"memory_total_bytes\": 1}}"),
                List.of());
        assertEquals(
                "4", page.only("nvidia_gpu_memory_total_bytes", "uuid", "GPU-a").label("minor_number"));
    }

    @Test
    @DisplayName("used memory has what the driver keeps for itself in it, as their older call counts it")
    void reserved() {
        assertEquals(
                7,
                page(List.of(gpu("GPU-a", 0, ", \"memory_used_bytes\": 5, \"memory_reserved_bytes\": 2")), List.of())
                        .only("nvidia_gpu_memory_used_bytes", "uuid", "GPU-a")
                        .value());
    }

    @Test
    @DisplayName("the series of a job end with its cgroup, between two snapshots too")
    void ended() {
        List<String> gpus = List.of(gpu("GPU-a", 0, processes(process(7, 1, "CGROUP", 5))));
        Exposition before = page(gpus, List.of(job(1, 1001, "")));
        assertEquals(
                "1",
                before.only("nvidia_gpu_memory_total_bytes", "uuid", "GPU-a").label("jobid"));
        gone.add(1L);
        Exposition after = Exposition.parse(metrics.text());
        assertEquals(
                List.of(),
                after.samples().stream()
                        .filter(sample -> !sample.label("jobid").isEmpty())
                        .toList());
        assertEquals(1, after.of("nvidia_gpu_memory_total_bytes").size());
    }

    @Test
    @DisplayName("two cgroups of one job, as after a requeue, give one series: that of the one where processes run")
    void requeued() {
        Exposition page = page(
                List.of(),
                List.of(
                        "{\"job_id\": 1, \"sluid\": \"s5K1KKYAYG5D00\", \"processes\": 0, \"cpu_seconds\": 900}",
                        "{\"job_id\": 1, \"sluid\": \"s5K1KKYAYG5D01\", \"processes\": 3, \"cpu_seconds\": 4}"));
        assertEquals(4, page.only("cgroup_cpu_total_seconds", "jobid", "1").value());
    }

    @Test
    @DisplayName("names with quotes and backslashes come through, and twice the same labels do not spoil the page")
    void hostile() {
        String odd =
                "{\"device\": {\"uuid\": \"GPU-a\", \"index\": 0, \"name\": \"a\\\"b\\\\n\", \"memory_total_bytes\": 1}}";
        Exposition page = page(List.of(odd, odd), List.of());
        assertEquals(
                "a\"b\\n",
                page.only("nvidia_gpu_memory_total_bytes", "uuid", "GPU-a").label("name"));
    }

    @Test
    @DisplayName("a card that answers has no error, one that is lost has NVML's")
    void lastError() {
        String device = "{\"device\": {\"uuid\": \"GPU-%s\", \"index\": 0, \"name\": \"x\"}, %s}";
        Exposition page = page(
                List.of(
                        device.formatted("a", "\"power_watts\": 60"),
                        device.formatted("b", "\"detail\": {\"health\": {\"xids\": [79]}}")),
                List.of());
        assertEquals(0, page.only("nvidia_gpu_last_error", "uuid", "GPU-a").value());
        assertEquals(15, page.only("nvidia_gpu_last_error", "uuid", "GPU-b").value());
    }

    @Test
    @DisplayName("a reading that is absent has no series")
    void absent() {
        Map<String, Long> counts = new TreeMap<>(
                page(List.of("{\"device\": {\"uuid\": \"GPU-a\", \"index\": 0, \"name\": \"x\"}}"), List.of())
                        .samples()
                        .stream()
                        .filter(sample -> sample.name().startsWith("nvidia_")
                                || sample.name().startsWith("cgroup_"))
                        .collect(Collectors.groupingBy(Sample::name, Collectors.counting())));
        assertEquals(Map.of("nvidia_gpu_num_devices", 1L), counts);
        assertTrue(
                page(List.of(), List.of()).of("nvidia_gpu_memory_total_bytes").isEmpty());
    }
}
