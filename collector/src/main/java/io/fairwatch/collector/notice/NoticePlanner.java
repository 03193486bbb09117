package io.fairwatch.collector.notice;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.HeldSums;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Notice.Channel;
import io.fairwatch.collector.store.Notice.State;
import io.fairwatch.collector.store.Notice.Topic;
import io.fairwatch.collector.store.Store;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Makes notices, each with an id that is the same whenever the same is decided again. Immutable; blocks on the store. */
public final class NoticePlanner {
    private static final String WEBHOOK = "webhook";

    private final Store store;
    private final Notifier.Recipients recipients;
    private final Function<String, Duration> windowOf;
    private final InstantSource clock;

    /** @param windowOf the window of a rule */
    public NoticePlanner(
            Store store, Notifier.Recipients recipients, Function<String, Duration> windowOf, InstantSource clock) {
        this.store = store;
        this.recipients = recipients;
        this.windowOf = windowOf;
        this.clock = clock;
    }

    /**
     * Notices for a step of an episode, to be saved by the caller in one transaction with the finding; those that are
     * there already, whatever became of them, are left out.
     *
     * @param aim the step and its channel; its recipient is empty, but for a deed its word
     * @return empty if there is nobody to tell
     */
    public Optional<List<Notice>> plan(FindingRow finding, Optional<Run> run, Notice.Aim aim)
            throws Store.StoreException {
        List<String> people = people(finding, run, aim);
        if (people.isEmpty()) {
            return Optional.empty();
        }
        Set<String> known = (run.isPresent()
                        ? store.noticesOf(run.get().key().jobId())
                        : store.noticesIn(
                                List.of(State.values()), finding.since().minusMillis(1)))
                .stream().map(Notice::id).collect(Collectors.toSet());
        Instant now = clock.instant();
        return Optional.of(people.stream()
                .map(to -> planned(finding, new Notice.Aim(aim.step(), aim.channel(), aim.topic(), to), now, ""))
                .filter(notice -> !known.contains(notice.id()))
                .toList());
    }

    private List<String> people(FindingRow finding, Optional<Run> run, Notice.Aim aim) throws Store.StoreException {
        return switch (aim.channel()) {
            case OWNER -> finding.user().isEmpty() ? List.of() : List.of(finding.user());
            case COORDINATOR ->
                accounts(finding, run).stream()
                        .flatMap(account -> recipients.coordinators().apply(account).stream())
                        .filter(user -> !user.equals(finding.user()))
                        .distinct()
                        .toList();
            case STAFF -> recipients.staff();
            case WEBHOOK -> recipients.webhook().isPresent() ? List.of(WEBHOOK) : List.of();
            case SLURM ->
                run.isPresent() || finding.subject() instanceof Subject.Waiting ? List.of(aim.recipient()) : List.of();
        };
    }

    /** Accounts that a finding concerns: of its job, or those in which its user ran in the rule's window; none for a node. */
    private List<String> accounts(FindingRow finding, Optional<Run> run) throws Store.StoreException {
        if (run.isPresent()) {
            return List.of(run.get().owner().account());
        }
        if (finding.subject() instanceof Subject.Waiting waits) {
            return store.view().stream()
                    .flatMap(view -> view.pending().stream())
                    .filter(job -> job.jobId() == waits.jobId()
                            && job.cluster().equals(waits.cluster())
                            && job.submit().equals(waits.submit()))
                    .map(job -> job.owner().account())
                    .distinct()
                    .toList();
        }
        if (!(finding.subject() instanceof Subject.Person person)) {
            return List.of();
        }
        Instant now = clock.instant();
        return store.heldWithin(now.minus(windowOf.apply(finding.rule())), now).stream()
                .filter(held -> held.user().equals(person.user()))
                .map(HeldSums::account)
                .distinct()
                .sorted()
                .toList();
    }

    /**
     * Notices about something that happened because of a finding, to be saved by the caller together with what happened.
     *
     * @param step the step because of which it happened
     * @param topic what it is about
     * @param channels who hears of it: owner, staff
     * @param what for {@link Topic#DONE} and {@link Topic#ANNOUNCED} the word of the deed, for {@link Topic#ANSWERED} the
     *     answer
     */
    public List<Notice> news(FindingRow finding, int step, Topic topic, List<Channel> channels, String what) {
        Instant now = clock.instant();
        List<Notice> notices = new ArrayList<>();
        for (Channel channel : channels) {
            for (String to : channel == Channel.OWNER ? List.of(finding.user()) : recipients.staff()) {
                notices.add(planned(finding, new Notice.Aim(step, channel, topic, to), now, what));
            }
        }
        return notices;
    }

    private static Notice planned(FindingRow finding, Notice.Aim aim, Instant now, String what) {
        return new Notice(
                id(finding.subject(), finding.rule(), finding.since(), aim, what),
                finding.subject(),
                finding.rule(),
                finding.since(),
                aim,
                finding.user(),
                Optional.empty(),
                State.PLANNED,
                Optional.empty(),
                now,
                now,
                0,
                what);
    }

    /** The same for the same step of the same episode, at any time and in any process. */
    static String id(Subject subject, String rule, Instant since, Notice.Aim aim, String what) {
        return digest(List.of(
                subject.toString(),
                rule,
                since.toString(),
                Integer.toString(aim.step()),
                aim.channel().name(),
                aim.topic().name(),
                aim.recipient(),
                what));
    }

    static String digest(Collection<String> parts) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (String part : parts) {
                byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
                digest.update((bytes.length + ":").getBytes(StandardCharsets.US_ASCII));
                digest.update(bytes);
            }
            return HexFormat.of().formatHex(digest.digest(), 0, 16);
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException("every Java has SHA-256", impossible);
        }
    }
}
