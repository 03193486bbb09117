package io.fairwatch.collector.notice;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GpuUse;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** One job with idle GPUs, from which the tests start. */
final class Samples {
    static final Instant START = Instant.parse("2026-11-23T07:12:00Z");
    static final Instant SINCE = Instant.parse("2026-11-23T12:30:00Z");
    static final Instant NOW = Instant.parse("2026-11-23T13:00:30Z");
    static final String USER = "tlj@its.aau.dk";
    static final LetterWriter.Site SITE = new LetterWriter.Site(
            "AI Cloud", "support@its.aau.dk", Optional.of(URI.create("https://fairwatch.srv.aau.dk/")));
    static final ZoneId ZONE = ZoneId.of("Europe/Copenhagen");

    private Samples() {}

    static Run run(long jobId, String user, String name) {
        return new Run(
                new RunKey("aicloud", jobId, START),
                Run.JobIds.PLAIN,
                new Run.Owner(user, OptionalInt.of(21004), "es.shj", "prioritized", "normal"),
                name,
                false,
                START.minusSeconds(600),
                Optional.empty(),
                Optional.of(Duration.ofDays(2)),
                Duration.ZERO,
                JobState.RUNNING,
                "RUNNING",
                new Run.Allocation(
                        List.of("nv-ai-01"), OptionalInt.of(16), OptionalLong.empty(), OptionalInt.of(2), "gres/gpu=2"),
                List.of(),
                NOW);
    }

    static Run ended(Run run, Instant end) {
        return new Run(
                run.key(),
                run.ids(),
                run.owner(),
                run.name(),
                run.interactive(),
                run.submit(),
                Optional.of(end),
                run.timeLimit(),
                run.suspended(),
                JobState.COMPLETED,
                "COMPLETED",
                run.allocation(),
                run.gpus(),
                end);
    }

    static FindingRow finding(Run run) {
        return new FindingRow(
                run.key(),
                "gpu-idle",
                SINCE,
                FindingRow.State.FOUND,
                NOW.minusSeconds(30),
                Optional.empty(),
                Optional.empty(),
                run.owner().user(),
                "2 of its 3 GPUs have not been used for 1 h 30 min.",
                """
                Does the program need several GPUs? Most programs use one unless told otherwise. \
                Then ask for one in your batch script:
                    #SBATCH --gres=gpu:1
                A shell or notebook holds its GPUs until you leave it, also while it waits for you.""",
                "{\"idle_gpus\": 2, \"utilization_max_ratio\": 0.0, \"coverage\": 0.99, \"gpus\": [\"GPU-1\"],"
                        + " \"cancellable\": true}",
                new FindingRow.Progress(1, 0, Optional.empty()));
    }

    static FindingRow with(FindingRow row, FindingRow.State state, Optional<Instant> clearSince) {
        return new FindingRow(
                row.run(),
                row.rule(),
                row.since(),
                state,
                row.lastSeen(),
                clearSince,
                row.toldAt(),
                row.user(),
                row.summary(),
                row.fix(),
                row.evidence(),
                row.progress());
    }

    static FindingRow said(FindingRow row, String summary, String fix) {
        return new FindingRow(
                row.run(),
                row.rule(),
                row.since(),
                row.state(),
                row.lastSeen(),
                row.clearSince(),
                row.toldAt(),
                row.user(),
                summary,
                fix,
                row.evidence(),
                row.progress());
    }

    static FindingRow planned(FindingRow row, int step) {
        return new FindingRow(
                row.run(),
                row.rule(),
                row.since(),
                row.state(),
                row.lastSeen(),
                row.clearSince(),
                row.toldAt(),
                row.user(),
                row.summary(),
                row.fix(),
                row.evidence(),
                new FindingRow.Progress(
                        step, row.progress().done(), row.progress().doneAt()));
    }

    static Run charged(Run run, String account) {
        return new Run(
                run.key(),
                run.ids(),
                new Run.Owner(
                        run.owner().user(),
                        run.owner().uid(),
                        account,
                        run.owner().partition(),
                        run.owner().qos()),
                run.name(),
                run.interactive(),
                run.submit(),
                run.end(),
                run.timeLimit(),
                run.suspended(),
                run.state(),
                run.stateText(),
                run.allocation(),
                run.gpus(),
                run.asOf());
    }

    static FindingRow of(FindingRow row, String rule, String summary, String fix) {
        return new FindingRow(
                row.run(),
                rule,
                row.since(),
                row.state(),
                row.lastSeen(),
                row.clearSince(),
                row.toldAt(),
                row.user(),
                summary,
                fix,
                "{}",
                row.progress());
    }

    /** The same GPU from another time on, with an energy. */
    static GpuUse withEnergy(GpuUse use, Instant from, double joules) {
        return new GpuUse(
                use.run(),
                use.node(),
                use.allocated(),
                use.device(),
                from,
                use.to(),
                (int) (Duration.between(from, use.to()).toSeconds() / 30),
                Duration.between(from, use.to()).toSeconds(),
                use.busySeconds(),
                use.idleSeconds(),
                use.utilizationMeanRatio(),
                use.utilizationMaxRatio(),
                use.lastBusyAt(),
                use.memoryUsedMaxBytes(),
                use.processesMax(),
                OptionalDouble.of(joules),
                use.work());
    }

    /** A GPU that was read for the last two hours; utilisation as given. */
    static GpuUse use(Run run, int number, double mean, double max, Optional<Instant> lastBusyAt, int processes) {
        return new GpuUse(
                run.key(),
                "nv-ai-01",
                Optional.of(allocated(number, AllocatedGpu.Confidence.CONFIRMED)),
                Optional.of(device(number)),
                Instant.parse("2026-11-23T11:00:30Z"),
                NOW,
                238,
                7140,
                max > 0.01 ? 7140 : 0,
                max > 0.01 ? 0 : 7140,
                OptionalDouble.of(mean),
                OptionalDouble.of(max),
                lastBusyAt,
                OptionalLong.of(processes == 0 ? 0 : 4_512L << 20),
                OptionalInt.of(processes),
                OptionalDouble.empty(),
                GpuUse.Work.NOT_KNOWN);
    }

    /** A GPU of which nothing was read. */
    static GpuUse unread(Run run, int number) {
        return new GpuUse(
                run.key(),
                "nv-ai-01",
                Optional.of(allocated(number, AllocatedGpu.Confidence.UNKNOWN)),
                Optional.empty(),
                Instant.parse("2026-11-23T11:00:30Z"),
                NOW,
                0,
                0,
                0,
                0,
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                Optional.empty(),
                OptionalLong.empty(),
                OptionalInt.empty(),
                OptionalDouble.empty(),
                GpuUse.Work.NOT_KNOWN);
    }

    private static AllocatedGpu allocated(int number, AllocatedGpu.Confidence confidence) {
        return new AllocatedGpu("nv-ai-01", number, Optional.of("v100"), Optional.of("GPU-" + number), confidence);
    }

    private static GpuDevice device(int number) {
        return new GpuDevice(
                "GPU-" + number,
                number,
                OptionalInt.of(number),
                Optional.empty(),
                "Tesla V100-SXM3-32GB",
                OptionalLong.of(34_089_730_048L),
                Optional.empty());
    }

    static List<GpuUse> uses(Run run) {
        return List.of(
                use(run, 3, 0, 0, Optional.empty(), 0),
                use(run, 4, 0.03, 0.41, Optional.of(Instant.parse("2026-11-23T11:30:00Z")), 1),
                use(run, 11, 0.934, 1, Optional.of(NOW), 1));
    }
}
