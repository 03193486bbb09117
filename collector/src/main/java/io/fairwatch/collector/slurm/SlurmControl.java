package io.fairwatch.collector.slurm;

import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Acts on jobs by {@code scancel} and {@code scontrol}. Immutable and thread-safe.
 *
 * <p>A job is looked at by {@code squeue} as text, one job at a time: with {@code --json} squeue of 22.05 would tell all.
 * Only columns that no user writes are asked for.
 */
public final class SlurmControl implements SlurmActions {
    private static final Logger LOG = LoggerFactory.getLogger(SlurmControl.class);

    /** Raw id, state, start, time used, time limit, priority, QoS, user. */
    private static final String COLUMNS = "%A|%T|%S|%M|%l|%Q|%q|%u";

    private static final int COLUMN_COUNT = 8;

    /** How long Slurm may take to do what it said it would. */
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private static final Duration PAUSE = Duration.ofMillis(300);

    /** {@code 30:00}, {@code 2:00:00}, {@code 1-00:00:00} */
    private static final Pattern TIME = Pattern.compile("(?:(\\d{1,6})-)?(?:(\\d{1,3}):)?(\\d{1,2}):(\\d{1,2})");

    private static final Pattern QOS = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_.+@-]{0,60}");

    /** What Slurm says when it could not be reached: trying again may help. */
    private static final List<String> TRANSIENT = List.of(
            "unable to contact",
            "timed out",
            "did not answer",
            "connect failure",
            "connection refused",
            "zero bytes",
            "cannot be started",
            "communication",
            "transmitted",
            "try again");

    private final SlurmCommand command;
    private final InstantSource clock;

    public SlurmControl(SlurmSettings settings, InstantSource clock) {
        this.command = new SlurmCommand(settings);
        this.clock = clock;
    }

    /** A job as it is now. */
    private record Look(
            String user,
            String state,
            Optional<Instant> start,
            Optional<Duration> used,
            Optional<Duration> limit,
            long priority,
            String qos) {
        JobState parsed() {
            return JobState.parse(state);
        }

        boolean waits() {
            return parsed() == JobState.PENDING;
        }

        boolean holds() {
            return switch (parsed()) {
                case RUNNING, SUSPENDED, CONFIGURING, RESIZING, STOPPED -> true;
                default -> false;
            };
        }
    }

    /** Why something is not done. */
    private static final class NotDone extends Exception {
        private static final long serialVersionUID = 1;
        private final transient Result result;

        NotDone(Result result) {
            this.result = result;
        }
    }

    @Override
    public Result cancel(Target target) throws InterruptedException {
        return act(
                "cancel",
                target,
                look -> Optional.empty(),
                List.of("scancel", target.name()),
                look -> !look.holds() && !look.waits());
    }

    @Override
    public Result hold(Target target) throws InterruptedException {
        return act(
                "hold",
                target,
                look -> look.waits()
                        ? Optional.empty()
                        : Optional.of("is " + look.state() + " (expected: PENDING); only a waiting job can be held"),
                List.of("scontrol", "hold", target.name()),
                look -> look.priority() == 0);
    }

    @Override
    public Result requeue(Target target, boolean held) throws InterruptedException {
        return act(
                "requeue",
                target,
                look -> look.holds()
                        ? Optional.empty()
                        : Optional.of(
                                "is " + look.state() + " (expected: RUNNING); only a running job can be requeued"),
                List.of("scontrol", held ? "requeuehold" : "requeue", target.name()),
                look -> !look.holds() && (!held || look.priority() == 0));
    }

    @Override
    public Result shorten(Target target, Duration limit) throws InterruptedException {
        long minutes = limit.toMinutes();
        if (minutes < 1) {
            return new Result.Refused("a time limit of " + limit + " is too short (expected: a minute or more)");
        }
        return act(
                "shorten",
                target,
                look -> {
                    Duration wanted = Duration.ofMinutes(minutes);
                    if (look.limit().filter(now -> now.compareTo(wanted) <= 0).isPresent()) {
                        return Optional.of(
                                "has a time limit of " + look.limit().get().toMinutes()
                                        + " min already (expected: more than " + minutes + ")");
                    }
                    return look.used()
                            .filter(used -> look.holds() && used.compareTo(wanted) >= 0)
                            .map(used -> "has been running for " + used.toMinutes() + " min: a limit of " + minutes
                                    + " min would end it at once; cancel it instead");
                },
                List.of("scontrol", "update", "JobId=" + target.name(), "TimeLimit=" + minutes),
                look -> look.limit().filter(now -> now.toMinutes() <= minutes).isPresent());
    }

    @Override
    public Result changeQos(Target target, String qos) throws InterruptedException {
        if (!QOS.matcher(qos).matches()) {
            return new Result.Refused("QoS: " + shown(qos) + " (expected: a name)");
        }
        return act(
                "change QoS",
                target,
                look -> look.qos().equals(qos) ? Optional.of("has QoS " + qos + " already") : Optional.empty(),
                List.of("scontrol", "update", "JobId=" + target.name(), "QOS=" + qos),
                look -> look.qos().equals(qos));
    }

    private interface Objection {
        /** What speaks against it, beginning with a verb; absent if nothing does. */
        Optional<String> to(Look look);
    }

    private Result act(String what, Target target, Objection objection, List<String> words, Predicate<Look> isDone)
            throws InterruptedException {
        Result result;
        try {
            Look before = lookAgain(target);
            Optional<String> against = objection.to(before);
            if (against.isPresent()) {
                throw new NotDone(new Result.Refused("job " + target.name() + " " + against.get()));
            }
            tell(words);
            result = verify(what, target, before, isDone);
        } catch (NotDone e) {
            result = e.result;
        }
        LOG.info("slurm action={} job={} user={} result={}", what, target.name(), shown(target.user()), result);
        return result;
    }

    /** The job that is meant, as it is now. */
    private Look lookAgain(Target target) throws NotDone, InterruptedException {
        Optional<Look> found;
        try {
            found = look(target);
        } catch (SlurmException e) {
            throw new NotDone(new Result.Failed("job " + target.name() + " could not be looked at: " + e.getMessage()));
        }
        if (found.isEmpty()) {
            throw new NotDone(new Result.Refused(
                    "job " + target.name() + " is not there any more, or is another run of it by now"));
        }
        Look look = found.get();
        if (!look.user().equals(target.user())) {
            throw new NotDone(new Result.Refused("job " + target.name() + " belongs to " + shown(look.user())
                    + " (expected: " + shown(target.user()) + ")"));
        }
        if (target.start().isEmpty() != look.waits() || (!look.waits() && !look.holds())) {
            throw new NotDone(new Result.Refused("job " + target.name() + " is " + look.state() + " (expected: "
                    + (target.start().isEmpty() ? "PENDING" : "RUNNING") + ")"));
        }
        return look;
    }

    private void tell(List<String> words) throws NotDone, InterruptedException {
        try {
            command.run(words.get(0), words.subList(1, words.size()));
        } catch (SlurmException e) {
            String message = String.valueOf(e.getMessage());
            String lower = message.toLowerCase(Locale.ROOT);
            if (lower.contains("permission denied")) {
                message += "; this takes the right of an Operator: sacctmgr modify user NAME set adminlevel=Operator";
            }
            throw new NotDone(
                    TRANSIENT.stream().anyMatch(lower::contains)
                            ? new Result.Failed(message)
                            : new Result.Refused(message));
        }
    }

    /** Slurm answers before it has done it. */
    private Result verify(String what, Target target, Look before, Predicate<Look> isDone) throws InterruptedException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        String last;
        do {
            try {
                Optional<Look> after = look(target);
                if (after.isEmpty()) {
                    // forgotten, or it starts anew: this run is over, which is what a cancel or requeue wanted
                    return before.holds() || what.equals("cancel")
                            ? new Result.Done(clock.instant(), "the run is over")
                            : new Result.Failed("job " + target.name() + " vanished");
                }
                Look now = after.get();
                String detail = "state " + now.state() + ", priority " + now.priority() + ", QoS " + now.qos()
                        + ", time limit "
                        + now.limit().map(limit -> limit.toMinutes() + " min").orElse("none");
                if (isDone.test(now)) {
                    return new Result.Done(clock.instant(), detail);
                }
                last = detail;
            } catch (SlurmException e) {
                last = String.valueOf(e.getMessage());
            }
            Thread.sleep(PAUSE.toMillis());
        } while (System.nanoTime() - deadline < 0);
        return new Result.Failed("job " + target.name() + ": Slurm took the order (" + what
                + ") and has not done it in " + PATIENCE.toSeconds() + " s: " + last);
    }

    /**
     * The run that is meant, or the job that waits; empty if Slurm does not know it, or if its number has gone to another
     * run. A run of a resized job began at its resize, which is after the start that squeue tells.
     */
    private Optional<Look> look(Target target) throws SlurmException, InterruptedException {
        byte[] printed;
        try {
            printed = command.run(
                    "squeue",
                    List.of("--noheader", "--all", "--states=all", "--jobs=" + target.jobId(), "--format=" + COLUMNS));
        } catch (SlurmException e) {
            if (String.valueOf(e.getMessage()).toLowerCase(Locale.ROOT).contains("invalid job id")) {
                return Optional.empty();
            }
            throw e;
        }
        for (String line : new String(printed, StandardCharsets.UTF_8).lines().toList()) {
            List<String> cells = List.of(line.split("\\|", COLUMN_COUNT));
            if (cells.size() == COLUMN_COUNT && cells.get(0).strip().equals(Long.toString(target.jobId()))) {
                Look look = new Look(
                        cells.get(7).strip(),
                        cells.get(1).strip(),
                        seconds(cells.get(2).strip()),
                        time(cells.get(3).strip()),
                        time(cells.get(4).strip()),
                        number(cells.get(5).strip()),
                        cells.get(6).strip());
                boolean same = target.start().isEmpty()
                        || look.start()
                                .filter(start -> !look.waits()
                                        && !start.isAfter(target.start().get()))
                                .isPresent();
                if (same) {
                    return Optional.of(look);
                }
            }
        }
        return Optional.empty();
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

    private static String shown(String text) {
        String clean = text.replaceAll("\\p{Cntrl}", "?");
        return clean.length() <= 80 ? clean : clean.substring(0, 80) + "...";
    }
}
