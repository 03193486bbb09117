package io.fairwatch.agent.metrics;

import static io.fairwatch.agent.metrics.GivenSnapshot.gpu;
import static io.fairwatch.agent.metrics.GivenSnapshot.job;
import static io.fairwatch.agent.metrics.GivenSnapshot.process;
import static io.fairwatch.agent.metrics.GivenSnapshot.processes;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.fairwatch.agent.metrics.Exposition.Sample;
import io.fairwatch.agent.wire.StoredAnswer.HeldGpu;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.function.ToDoubleFunction;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/**
 * What jobstats asks Prometheus about a job, asked of our pages: an hour on two nodes with four GPUs, of which one was
 * never used. Its summary of that job is the one below; prometheus' part is played by a few lines that keep to its rules
 * (five minutes of look-back, a subquery every 15 s).
 */
class JobstatsQueriesTest {
    private static final String SUMMARY = """
            {"nodes":{
             "gpu01":{"total_memory":68719476736,"used_memory":12884901888,"total_time":7200,"cpus":8,
              "gpu_total_memory":{"0":149250113536,"1":149250113536},
              "gpu_used_memory":{"0":42949672960,"1":42949672960},
              "gpu_utilization":{"0":70.0,"1":70.0}},
             "gpu02":{"total_memory":68719476736,"used_memory":12884901888,"total_time":7200,"cpus":8,
              "gpu_total_memory":{"0":149250113536,"1":149250113536},
              "gpu_used_memory":{"0":42949672960,"1":1073741824},
              "gpu_utilization":{"0":70.0,"1":0}}},
             "total_time":3600,"gpus":4}
            """;

    private static final String JOB = "83549";
    private static final Instant BEGIN = Instant.parse("2026-11-20T12:00:00Z");
    private static final int ELAPSED_SECONDS = 3600;
    private static final int SCRAPE_SECONDS = 30;
    private static final int LOOK_BACK_SECONDS = 300;
    private static final int STEP_SECONDS = 15;

    private final List<Scrape> scrapes = new ArrayList<>();

    /** A page and where it is from, at so many seconds after the job began. */
    private record Scrape(String node, int second, Exposition page) {}

    @Test
    @DisplayName("jobstats' queries over our pages give its own summary of the job, the idle GPU included")
    void summary() throws Exception {
        scrape("gpu01", false);
        scrape("gpu02", true);
        Map<String, Object> nodes = new TreeMap<>();
        for (String node : List.of("gpu01", "gpu02")) {
            Map<String, Object> figures = new TreeMap<>();
            figures.put("total_memory", number(maxOverTime(node, "cgroup_memory_total_bytes")));
            figures.put("cpus", number(maxOverTime(node, "cgroup_cpus")));
            figures.put("total_time", number(maxOverTime(node, "cgroup_cpu_total_seconds")));
            figures.put(
                    "used_memory",
                    number(steps(
                                    page -> total(page, "cgroup_memory_rss_bytes")
                                            + total(page, "cgroup_memory_shmem_bytes"),
                                    node)
                            .max()
                            .orElseThrow()));
            figures.put("gpu_total_memory", gpus(node, "nvidia_gpu_memory_total_bytes", DoubleStream::max));
            figures.put("gpu_used_memory", gpus(node, "nvidia_gpu_memory_used_bytes", DoubleStream::max));
            figures.put("gpu_utilization", gpus(node, "nvidia_gpu_duty_cycle", DoubleStream::average));
            nodes.put(node, figures);
        }
        ObjectMapper mapper = new ObjectMapper();
        assertEquals(
                mapper.readTree(SUMMARY),
                mapper.readTree(
                        mapper.writeValueAsString(Map.of("nodes", nodes, "total_time", ELAPSED_SECONDS, "gpus", 4))));
    }

    /** The pages of a node from before the job to after it. */
    private void scrape(String node, boolean secondGpuIdle) {
        int[] second = {0};
        AgentMetrics metrics = new AgentMetrics(
                () -> BEGIN.plusSeconds(second[0]), new AgentMetrics.Switches(true, false), "1", cgroup -> true);
        for (second[0] = -60; second[0] <= ELAPSED_SECONDS + 60; second[0] += SCRAPE_SECONDS) {
            int now = second[0];
            boolean runs = now > 0 && now <= ELAPSED_SECONDS;
            if (now % 60 == 0) { // the agent's answer comes every other time
                metrics.held(
                        secondGpuIdle && runs
                                ? List.of(new HeldGpu("GPU-" + node + "-1", Long.parseLong(JOB), OptionalInt.empty()))
                                : List.of());
            }
            // 69 % and 71 % in turns; 70 % throughout would be written without the point that the summary has
            double ratio = now / SCRAPE_SECONDS % 2 == 0 ? 0.69 : 0.71;
            String busy = runs ? use(ratio, 40L << 30) : use(0, 0);
            String other = secondGpuIdle ? use(0, 1L << 30) : busy;
            metrics.taken(
                    OwnCost.UNKNOWN,
                    GivenSnapshot.of(
                            node,
                            BEGIN.plusSeconds(now),
                            "{\"outcome\": \"read\", \"took\": \"PT0.001S\"}",
                            List.of(
                                    card(gpu("GPU-" + node + "-0", 0, busy + owner(runs))),
                                    card(gpu("GPU-" + node + "-1", 1, other + owner(runs && !secondGpuIdle)))),
                            runs ? List.of(cgroup(now)) : List.of()));
            scrapes.add(new Scrape(node, now, Exposition.parse(metrics.text())));
        }
    }

    private static String card(String gpu) {
        return gpu.replace("85899345920", "149250113536");
    }

    private static String use(double ratio, long memory) {
        return """
                , "memory_used_bytes": %d,
                "utilization": {"mean_ratio": %s, "max_ratio": 1, "last_ratio": 1, "samples": 9, "source": "RING"}
                """.formatted(memory, ratio);
    }

    private static String owner(boolean runs) {
        return runs ? processes(process(7, Long.parseLong(JOB), "CGROUP", 5)) : processes();
    }

    /** Two CPUs' worth of work; memory that peaks in the middle. */
    private static String cgroup(int second) {
        long anonymous = second == ELAPSED_SECONDS / 2 ? 8L << 30 : 2L << 30;
        return job(Long.parseLong(JOB), 1001, """
                , "cpu_seconds": %d, "memory_limit_bytes": 68719476736,
                "detail": {"cpus": 8, "memory_anonymous_bytes": %d, "memory_shared_bytes": %d}
                """.formatted(2 * second, anonymous, 4L << 30));
    }

    // ---- what Prometheus does

    /** {@code max_over_time(NAME{jobid="JOB",step="",task=""}[3600s])} of a node, at the job's end. */
    private double maxOverTime(String node, String name) {
        return scrapes.stream()
                .filter(scrape -> scrape.node().equals(node) && within(scrape.second()))
                .flatMap(scrape -> scrape.page().of(name).stream())
                .filter(JobstatsQueriesTest::ofTheWholeJob)
                .mapToDouble(Sample::value)
                .max()
                .orElseThrow();
    }

    private static boolean within(int second) {
        return second > 0 && second <= ELAPSED_SECONDS;
    }

    private static boolean ofTheWholeJob(Sample sample) {
        return sample.label("jobid").equals(JOB)
                && sample.label("step").isEmpty()
                && sample.label("task").isEmpty();
    }

    private static double total(Exposition page, String name) {
        return page.of(name).stream()
                .filter(JobstatsQueriesTest::ofTheWholeJob)
                .mapToDouble(Sample::value)
                .findFirst()
                .orElseThrow();
    }

    /** What an instant query answers at each step of a subquery: the newest page, unless that is too old. */
    private DoubleStream steps(ToDoubleFunction<Exposition> query, String node) {
        List<Exposition> pages = new ArrayList<>();
        for (int second = STEP_SECONDS; second <= ELAPSED_SECONDS; second += STEP_SECONDS) {
            newest(node, second, page -> page.of("cgroup_cpus").stream().anyMatch(JobstatsQueriesTest::ofTheWholeJob))
                    .forEach(pages::add);
        }
        return pages.stream().mapToDouble(query);
    }

    private List<Exposition> newest(String node, int second, Predicate<Exposition> answers) {
        Scrape last = null;
        for (Scrape scrape : scrapes) {
            if (scrape.node().equals(node)
                    && scrape.second() <= second
                    && scrape.second() > second - LOOK_BACK_SECONDS) {
                last = scrape;
            }
        }
        return last != null && answers.test(last.page()) ? List.of(last.page()) : List.of();
    }

    private interface OverTime {
        OptionalDouble of(DoubleStream values);
    }

    /** {@code max_over_time} or {@code avg_over_time(NAME{jobid="JOB"}[3600s:])} by minor number. */
    private Map<String, Object> gpus(String node, String name, OverTime function) {
        Map<String, List<Double>> byMinor = new TreeMap<>();
        for (int second = STEP_SECONDS; second <= ELAPSED_SECONDS; second += STEP_SECONDS) {
            newest(node, second, page -> true).stream()
                    .flatMap(page -> page.of(name).stream())
                    .filter(sample -> sample.label("jobid").equals(JOB))
                    .forEach(sample -> byMinor.computeIfAbsent(sample.label("minor_number"), first -> new ArrayList<>())
                            .add(sample.value()));
        }
        Map<String, Object> result = new TreeMap<>();
        byMinor.forEach((minor, values) -> result.put(
                minor,
                number(function.of(values.stream().mapToDouble(Double::doubleValue))
                        .orElseThrow())));
        return result;
    }

    /** Its rule: what has a point is rounded to one decimal, the rest is whole. */
    private static Object number(double value) {
        return value == Math.rint(value) ? (Object) (long) value : (Object) (Math.round(value * 10) / 10.0);
    }
}
