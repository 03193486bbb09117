package io.fairwatch.collector.slurm;

import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Acts on jobs: looks, gives the order, looks again. How that is done is its {@link Hand}'s: commands, or slurmrestd where
 * that is configured. Immutable and thread-safe.
 */
public final class SlurmControl implements SlurmActions {
    private static final Logger LOG = LoggerFactory.getLogger(SlurmControl.class);

    /** How long Slurm may take to do what it said it would. */
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private static final Duration PAUSE = Duration.ofMillis(300);

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

    private final Hand hand;
    private final InstantSource clock;

    public SlurmControl(SlurmSettings settings, InstantSource clock) {
        this.hand = settings.rest().isPresent()
                ? new RestHand(new SlurmRest(settings, settings.rest().get()), clock)
                : new CommandHand(new SlurmCommand(settings));
        this.clock = clock;
    }

    /** What looks at a job and gives orders. */
    interface Hand {
        /** The jobs of a raw id: more than one for an array. */
        List<Look> look(long jobId) throws SlurmException, InterruptedException;

        /**
         * Gives one order.
         *
         * @throws SlurmException if Slurm did not take it, with what it said
         */
        void tell(Order order, Target target) throws SlurmException, InterruptedException;
    }

    /** What Slurm is told. */
    sealed interface Order {
        record Cancel() implements Order {}

        record Hold() implements Order {}

        record Requeue(boolean held) implements Order {}

        record TimeLimit(long minutes) implements Order {}

        record Qos(String name) implements Order {}
    }

    /** A job as it is now. */
    record Look(
            long jobId,
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
                "cancel", target, look -> Optional.empty(), new Order.Cancel(), look -> !look.holds() && !look.waits());
    }

    @Override
    public Result hold(Target target) throws InterruptedException {
        return act(
                "hold",
                target,
                look -> look.waits()
                        ? Optional.empty()
                        : Optional.of("is " + look.state() + " (expected: PENDING); only a waiting job can be held"),
                new Order.Hold(),
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
                new Order.Requeue(held),
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
                new Order.TimeLimit(minutes),
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
                look -> {
                    if (!look.waits()) {
                        return Optional.of("is " + look.state() + " (expected: PENDING); Slurm moves no running job");
                    }
                    return look.qos().equals(qos) ? Optional.of("has QoS " + qos + " already") : Optional.empty();
                },
                new Order.Qos(qos),
                look -> look.qos().equals(qos));
    }

    private interface Objection {
        /** What speaks against it, beginning with a verb; absent if nothing does. */
        Optional<String> to(Look look);
    }

    private Result act(String what, Target target, Objection objection, Order order, Predicate<Look> isDone)
            throws InterruptedException {
        Result result;
        try {
            Look before = lookAgain(target);
            Optional<String> against = objection.to(before);
            if (against.isPresent()) {
                throw new NotDone(new Result.Refused("job " + target.name() + " " + against.get()));
            }
            tell(order, target);
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

    private void tell(Order order, Target target) throws NotDone, InterruptedException {
        try {
            hand.tell(order, target);
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
        List<Look> looks;
        try {
            looks = hand.look(target.jobId());
        } catch (SlurmException e) {
            if (String.valueOf(e.getMessage()).toLowerCase(Locale.ROOT).contains("invalid job id")) {
                return Optional.empty();
            }
            throw e;
        }
        return looks.stream()
                .filter(look -> look.jobId() == target.jobId())
                .filter(look -> target.start().isEmpty()
                        || (!look.waits()
                                && look.start()
                                        .filter(start ->
                                                !start.isAfter(target.start().get()))
                                        .isPresent()))
                .findFirst();
    }

    private static String shown(String text) {
        String clean = text.replaceAll("\\p{Cntrl}", "?");
        return clean.length() <= 80 ? clean : clean.substring(0, 80) + "...";
    }
}
