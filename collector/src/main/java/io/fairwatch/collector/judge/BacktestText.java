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
    private static final int MOST_SUMMARY = 150;

    private final DateTimeFormatter times;

    public BacktestText(ZoneId zone) {
        this.times =
                DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm", Locale.ROOT).withZone(zone);
    }

    public String page(Outcome outcome) {
        StringBuilder out = new StringBuilder();
        out.append("Rule " + outcome.rule() + " from " + time(outcome.from()) + " to " + time(outcome.to()) + "\n\n");
        switch (outcome.scope()) {
            case RUNNING_JOB -> running(out, outcome);
            case FINISHED_JOB -> finished(out, outcome);
            case USER -> users(out, outcome);
            case PENDING_JOB, NODE ->
                throw new IllegalArgumentException(
                        "scope: " + outcome.scope() + " (expected: one that can be rehearsed)");
        }
        if (outcome.episodes().size() > MOST_LINES) {
            out.append(outcome.episodes().size() - MOST_LINES).append(" more; --json has all of them\n");
        }
        return out.toString();
    }

    private void running(StringBuilder out, Outcome outcome) {
        out.append(String.format(
                Locale.ROOT,
                """
                  runs with GPUs                    %,12d
                  times asked                       %,12d   (unknown %,d)
                  owners told                       %,12d
                  of these over by themselves       %,12d
                  runs ended                        %,12d
                  of these worked again later       %,12d   (probable false alarms)
                  GPU-hours held after being told   %,14.1f
                  GPU-hours saved by ending         %,14.1f
                """,
                outcome.runs(),
                outcome.judgements(),
                outcome.unknown(),
                outcome.told(),
                outcome.recovered(),
                outcome.cancelled(),
                outcome.wronglyCancelled(),
                outcome.gpuHoursAfterTold().orElse(0),
                outcome.gpuHoursSaved().orElse(0)));
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
    }

    private void finished(StringBuilder out, Outcome outcome) {
        out.append(String.format(Locale.ROOT, """
                  runs that ended                   %,12d   (unknown %,d)
                  with a note                       %,12d   (in lookups and reports; nobody is mailed of a job that is over)
                  people with a note                %,12d
                """, outcome.runs(), outcome.unknown(), outcome.told(), people(outcome)));
        if (!outcome.episodes().isEmpty()) {
            out.append(
                    String.format(Locale.ROOT, "%n%-14s %-24s %4s %-16s %s%n", "JOB", "USER", "GPUS", "ENDED", "NOTE"));
        }
        for (Episode one : outcome.episodes().stream().limit(MOST_LINES).toList()) {
            out.append(String.format(
                    Locale.ROOT,
                    "%-14s %-24s %4d %-16s %s%n",
                    one.job(),
                    Plain.line(one.user(), 24),
                    one.gpus(),
                    time(one.toldAt()),
                    Plain.line(one.summary(), MOST_SUMMARY)));
        }
    }

    private void users(StringBuilder out, Outcome outcome) {
        out.append(String.format(
                Locale.ROOT,
                """
                  runs that were looked at          %,12d
                  times asked, each user daily      %,12d   (unknown %,d)
                  times that somebody was told      %,12d
                  of these over again               %,12d
                  people told                       %,12d
                """,
                outcome.runs(),
                outcome.judgements(),
                outcome.unknown(),
                outcome.told(),
                outcome.recovered(),
                people(outcome)));
        if (!outcome.episodes().isEmpty()) {
            out.append(String.format(Locale.ROOT, "%n%-24s %-16s %-16s %s%n", "USER", "TOLD", "OVER SINCE", "SUMMARY"));
        }
        for (Episode one : outcome.episodes().stream().limit(MOST_LINES).toList()) {
            out.append(String.format(
                    Locale.ROOT,
                    "%-24s %-16s %-16s %s%n",
                    Plain.line(one.user(), 24),
                    time(one.toldAt()),
                    one.recoveredAt().map(this::time).orElse("-"),
                    Plain.line(one.summary(), MOST_SUMMARY)));
        }
    }

    private static long people(Outcome outcome) {
        return outcome.episodes().stream().map(Episode::user).distinct().count();
    }

    private String time(Instant at) {
        return times.format(at);
    }
}
