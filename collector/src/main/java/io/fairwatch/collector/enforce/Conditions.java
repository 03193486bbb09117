package io.fairwatch.collector.enforce;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairwatch.collector.enforce.Deeds.Deed;
import io.fairwatch.collector.enforce.Deeds.Job;
import io.fairwatch.collector.enforce.Enforcer.Due;
import io.fairwatch.collector.enforce.Enforcer.Mode;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.AuditEntry;
import io.fairwatch.collector.store.Exemption;
import io.fairwatch.collector.store.Exemptions;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.NodeState;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Notice.Channel;
import io.fairwatch.collector.store.Notice.Topic;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.RunSpan;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.usage.Horizon;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.stream.Collectors;

/** All that must hold before something is done to a job. What is not known is a no. Immutable; blocks on the store. */
final class Conditions {
    private static final int MOST_AUDIT = 100_000;

    private final Store store;
    private final BiFunction<String, Run, Duration> windowOf;
    private final Enforcer.Settings settings;
    private final InstantSource clock;

    Conditions(
            Store store, BiFunction<String, Run, Duration> windowOf, Enforcer.Settings settings, InstantSource clock) {
        this.store = store;
        this.windowOf = windowOf;
        this.settings = settings;
        this.clock = clock;
    }

    /** What was found out before deciding. */
    sealed interface Answer {
        record Yes(ObjectNode inputs) implements Answer {}

        /** All that must hold does, but nobody was really warned. */
        record Rehearsed(ObjectNode inputs) implements Answer {}

        /** Not now. */
        record Wait(String why) implements Answer {}

        /** Not any more. */
        record Never(String why) implements Answer {}

        /** Its owner must be told first that it will be done: the warnings so far did not say so. */
        record Announce() implements Answer {}
    }

    /** The owner asked for it: then nothing needs to hold but that it is still that run. */
    Answer asked(Due due) throws StoreException {
        if (!settings.stopByOwner()) {
            return new Answer.Never("jobs are not ended by their owners' answers here");
        }
        if (due.job() instanceof Job.Running running && isOver(running.run())) {
            return new Answer.Never("the job has ended");
        }
        if (isRestOfArray(due.job())) {
            return new Answer.Never("its number means the tasks of its array that run, too");
        }
        if (due.job().asOf().isBefore(due.asOf())) {
            return new Answer.Wait("Slurm's newest answer does not name the job");
        }
        if (isNeededAfterAll(due)) {
            return new Answer.Never("its owner said later that it is needed");
        }
        return switchedOff().orElse(new Answer.Yes(Enforcer.inputs(due)));
    }

    /** Whether somebody excused the job after its owner asked for its end, which may have had to wait. */
    private boolean isNeededAfterAll(Due due) throws StoreException {
        Job job = due.job();
        Instant asked = lastAsked(due);
        List<Exemption> later = store.exemptions(clock.instant()).stream()
                .filter(one -> one.from().isAfter(asked))
                .toList();
        return new Exemptions(later)
                .of(
                        job.subject(),
                        job.owner().user(),
                        job.owner().account(),
                        due.notice().rule())
                .isPresent();
    }

    /** When its owner last said that it may be ended: who was asked meanwhile whether it is needed may have said both. */
    private Instant lastAsked(Due due) throws StoreException {
        Instant first = due.notice().createdAt();
        return store
                .audit(new Store.AuditFilter(
                        Optional.of(due.job().id()), Optional.empty(), Optional.of(first), MOST_AUDIT))
                .stream()
                .filter(entry -> entry.what().equals(AuditEntry.STOP))
                .map(AuditEntry::at)
                .max(Comparator.naturalOrder())
                .filter(first::isBefore)
                .orElse(first);
    }

    /** What speaks for and against a deed that a ladder came to. */
    Answer examine(Due due, Instant judgedFrom) throws StoreException {
        Instant now = clock.instant();
        FindingRow finding = due.finding();
        Job job = due.job();
        Optional<Notice> warning = lastWarning(due);
        Optional<Answer> never = never(due, warning);
        if (never.isPresent()) {
            return never.get();
        }
        if (job.asOf().isBefore(due.asOf())
                || (job instanceof Job.Running running && running.run().state() != JobState.RUNNING)) {
            return new Answer.Wait("Slurm's newest answer does not say that the job runs");
        }
        if (!job.owner().user().equals(finding.user())) {
            return new Answer.Never("the job is not the same user's any more");
        }
        if (finding.lastSeen().isAfter(now)) {
            return new Answer.Wait("the clock went back behind the last judging");
        }
        if (finding.clearSince().isPresent() || finding.lastSeen().isBefore(judgedFrom)) {
            return new Answer.Wait("the condition was not seen to hold by the last judging");
        }
        if (due.deed().needsLeave(finding.subject()) && !finding.mayEnd()) {
            return new Answer.Wait("the rule does not allow it with what it found");
        }
        Optional<Exemption> exemption = new Exemptions(store.exemptions(now))
                .of(job.subject(), job.owner().user(), job.owner().account(), finding.rule());
        if (exemption.isPresent()) {
            return new Answer.Wait("excused by " + exemption.get().by());
        }
        Optional<Answer> off = switchedOff();
        if (off.isPresent()) {
            return off.get();
        }
        ObjectNode inputs = Enforcer.inputs(due);
        if (job instanceof Job.Running running) {
            Optional<String> incomplete = incomplete(running.run(), due.notice().rule(), inputs);
            if (incomplete.isPresent()) {
                return new Answer.Wait(incomplete.get());
            }
        }
        Optional<Answer> unannounced = unannounced(due, warning, inputs, now);
        if (unannounced.isPresent()) {
            return unannounced.get();
        }
        boolean rehearsed = settings.rehearsal() || isRehearsed(warning);
        return capped(due, inputs, now).orElse(rehearsed ? new Answer.Rehearsed(inputs) : new Answer.Yes(inputs));
    }

    /** What will not change any more. */
    private Optional<Answer> never(Due due, Optional<Notice> warning) throws StoreException {
        FindingRow finding = due.finding();
        int step = due.notice().aim().step();
        if (isRestOfArray(due.job())) {
            return Optional.of(new Answer.Never("its number means the tasks of its array that run, too"));
        }
        if (settings.modeOf(due.notice().rule()) == Mode.OFF) {
            return Optional.of(new Answer.Never("enforcement is off for this rule"));
        }
        if (due.job() instanceof Job.Running running && isOver(running.run()) && isAnotherNow(running.run())) {
            return Optional.of(
                    new Answer.Never("the run that was warned is over, and its number is another run's now"));
        }
        if (finding.state() == FindingRow.State.RESOLVED
                || (due.job() instanceof Job.Running running && isOver(running.run()))) {
            return Optional.of(new Answer.Never("over before it was done"));
        }
        if (warning.filter(Conditions::isOnItsWay).isPresent()) {
            return Optional.of(new Answer.Wait("its owner is being told first that this will be done"));
        }
        boolean told = finding.toldAt().isPresent()
                && warning.filter(notice -> notice.state() == Notice.State.DELIVERED)
                        .isPresent();
        if (!told && !isRehearsed(warning)) {
            return Optional.of(new Answer.Never("the owner's last warning was not delivered"));
        }
        if (finding.progress().planned() != step || finding.progress().done() != step - 1) {
            return Optional.of(new Answer.Never("the step before was not delivered, or this one is done"));
        }
        return due.deed() == Deed.LOWER_QOS && settings.lowQos().isEmpty()
                ? Optional.of(new Answer.Never("no QoS is configured for it"))
                : Optional.empty();
    }

    private static boolean isRehearsed(Optional<Notice> warning) {
        return warning.filter(Notice::isRehearsed).isPresent();
    }

    private static boolean isRestOfArray(Job job) {
        return job instanceof Job.Waiting waits && waits.job().isRestOfArray();
    }

    private static boolean isOnItsWay(Notice warning) {
        return warning.aim().topic() == Topic.ANNOUNCED
                && (warning.state() == Notice.State.PLANNED || warning.state() == Notice.State.SENDING);
    }

    static boolean isOver(Run run) {
        return run.end().isPresent() || !run.state().holdsAllocation();
    }

    /** Whether a later run has the number of one that is over, or waits with it: it was requeued. */
    private boolean isAnotherNow(Run over) throws StoreException {
        return store.runsOf(over.key().jobId()).stream()
                        .anyMatch(run -> run.key().start().isAfter(over.key().start()))
                || store.view().stream()
                        .flatMap(view -> view.pending().stream())
                        .anyMatch(job -> job.jobId() == over.key().jobId());
    }

    private Optional<Answer> switchedOff() throws StoreException {
        Optional<Exemption> byStaff = store.exemptions(clock.instant()).stream()
                .filter(one -> one.scope() == Exemption.Scope.DEEDS)
                .findFirst();
        if (byStaff.isPresent()) {
            return Optional.of(
                    new Answer.Wait("switched off by " + byStaff.get().by()));
        }
        return settings.switchFile()
                .filter(Files::exists)
                .map(file -> new Answer.Wait("the switch file " + file + " is there"));
    }

    /** The newest mail to the owner in this episode before the deed, whatever became of it. */
    private Optional<Notice> lastWarning(Due due) throws StoreException {
        Notice deed = due.notice();
        return store.noticesOf(due.job().id()).stream()
                .filter(notice -> notice.subject().equals(deed.subject())
                        && notice.rule().equals(deed.rule())
                        && notice.since().equals(deed.since())
                        && notice.aim().channel() == Channel.OWNER
                        && (notice.aim().topic() == Topic.ANNOUNCED
                                || (notice.aim().topic() == Topic.FINDING
                                        && notice.aim().step() < deed.aim().step())))
                .max(Comparator.comparingInt(notice -> notice.aim().step()));
    }

    /** No threat, no deed; and not earlier than was threatened. Who only proposes does nothing, so nothing is announced. */
    private Optional<Answer> unannounced(Due due, Optional<Notice> warning, ObjectNode inputs, Instant now) {
        if (settings.modeOf(due.notice().rule()) != Mode.ACT) {
            return Optional.empty();
        }
        Optional<Notice.Announced> announced = warning.flatMap(Notice::announced)
                .filter(what -> what.deed().equals(due.deed().word()));
        if (announced.isEmpty()) {
            return Optional.of(
                    warning.filter(notice -> notice.aim().topic() == Topic.ANNOUNCED)
                                    .isPresent()
                            ? new Answer.Never("the owner's last warning did not say that this would be done")
                            : new Answer.Announce());
        }
        inputs.put("announced_not_before", announced.get().notBefore().toString());
        return now.isBefore(announced.get().notBefore())
                ? Optional.of(new Answer.Wait("its owner was told that it comes not before "
                        + announced.get().notBefore()))
                : Optional.empty();
    }

    /** Why a run was not measured well enough; empty if it was. Missing data accuses nobody. */
    private Optional<String> incomplete(Run run, String rule, ObjectNode inputs) throws StoreException {
        if (run.allocation().gpus().isEmpty()) {
            return Optional.of("Slurm does not tell how many GPUs the job has");
        }
        Map<String, NodeState> nodes = store.nodes().stream().collect(Collectors.toMap(NodeState::node, one -> one));
        Instant to = Horizon.of(run, nodes, clock.instant());
        Instant from = to.minus(windowOf.apply(rule, run));
        List<GpuUse> given = store
                .gpuUse(
                        List.of(new RunSpan(
                                run,
                                from.isAfter(run.key().start())
                                        ? from
                                        : run.key().start(),
                                to)),
                        0)
                .stream()
                .filter(use -> use.allocated().isPresent())
                .toList();
        double coverage = given.stream().mapToDouble(GpuUse::coverage).min().orElse(given.isEmpty() ? 1 : 0);
        inputs.put("gpus_allocated", run.allocation().gpus().getAsInt());
        inputs.put("gpus_seen", given.size());
        inputs.put("lowest_coverage_now", coverage);
        if (given.size() != run.allocation().gpus().getAsInt()) {
            return Optional.of("not all GPUs of the job are known");
        }
        if (coverage < settings.minimumCoverage()) {
            return Optional.of("not all GPUs of the job were measured all the time");
        }
        boolean doubtful = given.stream()
                .flatMap(use -> use.allocated().stream())
                .map(AllocatedGpu::confidence)
                .anyMatch(one -> switch (one) {
                    case UNKNOWN, CONTRADICTED -> true;
                    case ASSUMED, CERTAIN, CONFIRMED -> false;
                });
        return doubtful ? Optional.of("it is doubtful which GPUs are the job's") : Optional.empty();
    }

    private Optional<Answer> capped(Due due, ObjectNode inputs, Instant now) throws StoreException {
        String owner = due.job().owner().user();
        List<AuditEntry> intended = store
                .audit(new Store.AuditFilter(
                        Optional.empty(),
                        Optional.empty(),
                        Optional.of(now.minus(Duration.ofDays(1))),
                        Optional.of(AuditEntry.Outcome.INTENDED),
                        MOST_AUDIT))
                .stream()
                .filter(entry -> entry.job().isPresent()) // reports by mail are intended, too
                .toList();
        long hour = intended.stream()
                .filter(entry -> entry.at().isAfter(now.minus(Duration.ofHours(1))))
                .count();
        long user =
                intended.stream().filter(entry -> entry.user().equals(owner)).count();
        inputs.put("deeds_within_an_hour", hour);
        inputs.put("deeds_to_user_within_a_day", user);
        if (hour >= settings.mostPerHour()) {
            return Optional.of(new Answer.Wait("already " + settings.mostPerHour() + " within an hour"));
        }
        return user >= settings.mostPerUser()
                ? Optional.of(new Answer.Wait("already " + settings.mostPerUser() + " to this user within 24 hours"))
                : Optional.empty();
    }
}
