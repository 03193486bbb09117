package io.fairwatch.collector.judge;

import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.GivenSemester;
import io.fairwatch.collector.store.Store;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Times a rule's rehearsal over a played semester, 1 September to 31 January, with roll-ups of every GPU; run by hand, as
 * {@code deploy/bench/rules/backtest} says: {@code BacktestBenchmark DIRECTORY RUNS GPUS RULE}.
 */
public final class BacktestBenchmark {
    private static final Instant FROM = Instant.parse("2026-09-01T00:00:00Z");
    private static final Instant TO = Instant.parse("2027-01-31T00:00:00Z");

    private BacktestBenchmark() {}

    public static void main(String[] arguments) throws Exception {
        Path where = Path.of(arguments[0]).resolve("store");
        if (!Files.exists(where)) {
            long began = System.nanoTime();
            GivenSemester.make(
                    where, 1, Integer.parseInt(arguments[1]), Integer.parseInt(arguments[2]), FROM, TO, true);
            System.out.printf("played in %.1f s%n", (System.nanoTime() - began) / 1e9);
        }
        var rules = Shipped.all();
        try (Store store = DuckDbStore.open(where, DuckDbStore.Settings.DEFAULTS)) {
            Backtest backtest = new Backtest(store, () -> rules, 0.01);
            for (int round = 1; round <= 2; round++) {
                long began = System.nanoTime();
                long cpu = cpu();
                int[] told = {0};
                Backtest.Outcome outcome = backtest.rehearse(
                        new Backtest.Plan(arguments[3], FROM, TO, Map.of(), Duration.ofHours(1)),
                        done -> {
                            if ((int) (done * 10) > told[0]) {
                                told[0] = (int) (done * 10);
                                System.out.printf(
                                        "  %d %% after %.1f s%n", told[0] * 10, (System.nanoTime() - began) / 1e9);
                            }
                        },
                        () -> false);
                System.out.printf(
                        "round %d: %.1f s (CPU of all threads %.1f s), most heap %d MB%n",
                        round,
                        (System.nanoTime() - began) / 1e9,
                        (cpu() - cpu) / 1e9,
                        Runtime.getRuntime().totalMemory() >> 20);
                if (round == 2) {
                    System.out.println(new BacktestText(ZoneOffset.UTC)
                            .page(outcome)
                            .lines()
                            .limit(16)
                            .collect(Collectors.joining("\n")));
                }
            }
        }
    }

    private static long cpu() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                .getProcessCpuTime();
    }
}
