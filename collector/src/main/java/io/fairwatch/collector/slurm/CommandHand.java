package io.fairwatch.collector.slurm;

import io.fairwatch.collector.slurm.SlurmActions.Target;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import io.fairwatch.collector.slurm.SlurmControl.Look;
import io.fairwatch.collector.slurm.SlurmControl.Order;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Looks by {@code squeue}, acts by {@code scancel} and {@code scontrol}. A job is looked at as text: with {@code --json} squeue
 * of 22.05 would tell all jobs. Only columns that no user writes are asked for. Immutable and thread-safe.
 */
record CommandHand(SlurmCommand command) implements SlurmControl.Hand {
    /** Raw id, state, start, time used, time limit, priority, QoS, user. */
    private static final String COLUMNS = "%A|%T|%S|%M|%l|%Q|%q|%u";

    private static final int COLUMN_COUNT = 8;

    /** {@code 30:00}, {@code 2:00:00}, {@code 1-00:00:00} */
    private static final Pattern TIME = Pattern.compile("(?:(\\d{1,6})-)?(?:(\\d{1,3}):)?(\\d{1,2}):(\\d{1,2})");

    @Override
    public List<Look> look(long jobId) throws SlurmException, InterruptedException {
        byte[] printed = command.run(
                "squeue", List.of("--noheader", "--all", "--states=all", "--jobs=" + jobId, "--format=" + COLUMNS));
        List<Look> looks = new ArrayList<>();
        for (String line : new String(printed, StandardCharsets.UTF_8).lines().toList()) {
            List<String> cells = List.of(line.split("\\|", COLUMN_COUNT));
            if (cells.size() == COLUMN_COUNT && cells.get(0).strip().matches("\\d{1,18}")) {
                looks.add(new Look(
                        Long.parseLong(cells.get(0).strip()),
                        cells.get(7).strip(),
                        cells.get(1).strip(),
                        seconds(cells.get(2).strip()),
                        time(cells.get(3).strip()),
                        time(cells.get(4).strip()),
                        number(cells.get(5).strip()),
                        cells.get(6).strip()));
            }
        }
        return looks;
    }

    @Override
    public void tell(Order order, Target target) throws SlurmException, InterruptedException {
        List<String> words = words(order, target.name());
        command.run(words.get(0), words.subList(1, words.size()));
    }

    private static List<String> words(Order order, String name) {
        if (order instanceof Order.Cancel) {
            return List.of("scancel", name);
        } else if (order instanceof Order.Hold) {
            return List.of("scontrol", "hold", name);
        } else if (order instanceof Order.Requeue requeue) {
            return List.of("scontrol", requeue.held() ? "requeuehold" : "requeue", name);
        } else if (order instanceof Order.TimeLimit limit) {
            return List.of("scontrol", "update", "JobId=" + name, "TimeLimit=" + limit.minutes());
        } else if (order instanceof Order.Qos qos) {
            return List.of("scontrol", "update", "JobId=" + name, "QOS=" + qos.name());
        }
        throw new AssertionError(order);
    }

    private static Optional<Instant> seconds(String text) {
        return text.matches("\\d{1,12}") ? Optional.of(Instant.ofEpochSecond(Long.parseLong(text))) : Optional.empty();
    }

    private static long number(String text) {
        return text.matches("\\d{1,18}") ? Long.parseLong(text) : -1;
    }

    /** Absent for {@code UNLIMITED}, {@code INVALID} and the like. */
    private static Optional<Duration> time(String text) {
        Matcher matcher = TIME.matcher(text);
        if (!matcher.matches()) {
            return Optional.empty();
        }
        List<Long> parts = new ArrayList<>();
        for (int group = 1; group <= matcher.groupCount(); group++) {
            String digits = matcher.group(group);
            parts.add(digits == null ? 0L : Long.parseLong(digits));
        }
        return Optional.of(Duration.ofDays(parts.get(0))
                .plusHours(parts.get(1))
                .plusMinutes(parts.get(2))
                .plusSeconds(parts.get(3)));
    }
}
