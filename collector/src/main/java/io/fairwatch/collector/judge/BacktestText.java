package io.fairwatch.collector.judge;

import io.fairwatch.collector.judge.Backtest.Episode;
import io.fairwatch.collector.judge.Backtest.Outcome;
import io.fairwatch.collector.text.Plain;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/** Writes what a rule would have done, for people. Immutable. */
public final class BacktestText {
    private static final int MOST_LINES = 200;

    private final DateTimeFormatter times;

    public BacktestText(ZoneId zone) {
        this.times =
                DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm", Locale.ROOT).withZone(zone);
    }

    public String page(Outcome outcome) {
        StringBuilder out = new StringBuilder();
        out.append(String.format(
                Locale.ROOT,
                """
                Rule %s from %s to %s

                  runs with GPUs                    %,12d
                  times asked                       %,12d   (unknown %,d)
                  owners told                       %,12d
                  of these over by themselves       %,12d
                  runs ended                        %,12d
                  of these worked again later       %,12d   (probable false alarms)
                  GPU-hours held after being told   %,14.1f
                  GPU-hours saved by ending         %,14.1f
                """,
                outcome.rule(),
                time(outcome.from()),
                time(outcome.to()),
                outcome.runs(),
                outcome.judgements(),
                outcome.unknown(),
                outcome.told(),
                outcome.recovered(),
                outcome.cancelled(),
                outcome.wronglyCancelled(),
                outcome.gpuHoursAfterTold(),
                outcome.gpuHoursSaved()));
        if (!outcome.episodes().isEmpty()) {
            out.append(String.format(
                    Locale.ROOT,
                    "%n%-14s %-24s %4s %-16s %-16s %-16s %9s%n",
                    "JOB",
                    "USER",
                    "GPUS",
                    "TOLD",
                    "ENDED",
                    "WORKED AGAIN",
                    "SAVED h"));
        }
        for (Episode one : outcome.episodes().stream().limit(MOST_LINES).toList()) {
            out.append(String.format(
                    Locale.ROOT,
                    "%-14s %-24s %4d %-16s %-16s %-16s %9.1f%n",
                    one.job(),
                    Plain.line(one.user(), 24),
                    one.gpus(),
                    time(one.toldAt()),
                    one.cancelledAt().map(this::time).orElse("-"),
                    one.recoveredAt().map(this::time).orElse("-"),
                    one.gpuHoursSaved()));
        }
        if (outcome.episodes().size() > MOST_LINES) {
            out.append(outcome.episodes().size() - MOST_LINES).append(" more; --json has all of them\n");
        }
        return out.toString();
    }

    private String time(Instant at) {
        return times.format(at);
    }
}
