package io.fairwatch.agent.metrics;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.WireCodec;
import io.fairwatch.agent.wire.WireCodec.WireException;
import java.time.Instant;
import java.util.List;

/** Snapshots of which a test says only what matters to it, as they are on the wire. */
final class GivenSnapshot {
    static final Instant AT = Instant.parse("2026-11-20T12:00:30Z");

    private static final WireCodec CODEC = new WireCodec();

    private GivenSnapshot() {}

    /** Of a node whose jobs could be read; GPUs and jobs as JSON objects. */
    static NodeSnapshot of(List<String> gpus, List<String> jobs) {
        return of("gpu01", AT, "{\"outcome\": \"read\", \"took\": \"PT0.001S\"}", gpus, jobs);
    }

    /** Of a node whose jobs could not be read. */
    static NodeSnapshot withoutCgroups(List<String> gpus) {
        return of(
                "gpu01",
                AT,
                "{\"outcome\": \"failed\", \"why\": \"no reason\", \"took\": \"PT0.001S\"}",
                gpus,
                List.of());
    }

    static NodeSnapshot of(String node, Instant at, String jobsOutcome, List<String> gpus, List<String> jobs) {
        try {
            return CODEC.parse("""
                    {
                      "version": 1, "node": "%s", "boot_id": "b", "sequence": 1, "at": "%s", "period": "PT30S",
                      "agent": {"version": "1", "started_at": "2026-11-20T08:00:00Z", "dropped_snapshots": 0},
                      "probes": {"jobs": %s},
                      "host": {
                        "logical_cpus": 96, "memory_total_bytes": 1578000000000,
                        "memory_available_bytes": 1430000000000
                      },
                      "gpu_driver": {"version": "535.183.01"},
                      "gpus": [%s], "jobs": [%s], "users": [], "scratch": []
                    }
                    """.formatted(node, at, jobsOutcome, String.join(",", gpus), String.join(",", jobs)));
        } catch (WireException e) {
            throw new IllegalArgumentException(e);
        }
    }

    /** A GPU with a minor number and what follows its device. */
    static String gpu(String uuid, int minor, String more) {
        return """
                {"device": {"uuid": "%s", "index": %d, "minor_number": %d, "name": "H100",
                            "memory_total_bytes": 85899345920}%s}
                """.formatted(uuid, minor, minor, more);
    }

    /** A process list of a GPU. */
    static String processes(String... processes) {
        return ", \"processes\": [" + String.join(",", processes) + "]";
    }

    static String process(int pid, long jobId, String evidence, long memoryBytes) {
        return """
                {"pid": %d, "kind": "COMPUTE", "uid": 65534, "memory_used_bytes": %d,
                 "job": {"job_id": %d, "evidence": "%s"}}
                """.formatted(pid, memoryBytes, jobId, evidence);
    }

    /** A job with what follows its numbers. */
    static String job(long jobId, int uid, String more) {
        return "{\"job_id\": %d, \"uid\": %d, \"processes\": 1%s}".formatted(jobId, uid, more);
    }

    /** The device files that a job may open. */
    static String minors(String list) {
        return ", \"detail\": {\"gpu_minors\": [" + list + "]}";
    }
}
