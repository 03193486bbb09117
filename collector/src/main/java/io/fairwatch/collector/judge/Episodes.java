package io.fairwatch.collector.judge;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.rules.Escalation;
import io.fairwatch.rules.Escalation.Climb;
import io.fairwatch.rules.Escalation.Episode;
import io.fairwatch.rules.Ladder;
import io.fairwatch.rules.Rule;
import io.fairwatch.rules.Verdict;
import java.time.Instant;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/** What comes of verdicts: episodes, and the notices that are due in them. Immutable; blocks on the store when it plans. */
public final class Episodes {
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private final Planner planner;
    private final Ladder siteLadder;

    /** Makes the notices of a step. */
    @FunctionalInterface
    public interface Planner {
        /**
         * Notices to be stored together with the finding; those that are there already are left out.
         *
         * @param run the run that the finding is about; absent: it is about something else
         * @param aim the step and its channel; its recipient is empty, but for a deed its word
         * @return empty if there is nobody to tell, so that the step is passed over
         */
        Optional<List<Notice>> plan(FindingRow finding, Optional<Run> run, Notice.Aim aim) throws StoreException;
    }

    /** What comes of a verdict: the episode as it is to be kept, and what is due in it. */
    record Decision(Optional<FindingRow> row, List<Notice> notices) {
        static final Decision NOTHING = new Decision(Optional.empty(), List.of());
    }

    /**
     * @param planner makes the notices of a step
     * @param siteLadder for rules that have none of their own
     */
    Episodes(Planner planner, Ladder siteLadder) {
        this.planner = planner;
        this.siteLadder = siteLadder;
    }

    /** @param paused whether somebody said that nothing shall come of findings about this run for now */
    Decision decide(Run run, Rule rule, Verdict verdict, Optional<FindingRow> before, boolean paused, Instant now)
            throws StoreException {
        return decide(run.key(), run.owner().user(), Optional.of(run), rule, verdict, before, paused, now);
    }

    /**
     * @param user whose the subject is; empty for a node
     * @param run the run that it is about; absent: it is about something else
     * @param paused as before
     */
    Decision decide(
            Subject subject,
            String user,
            Optional<Run> run,
            Rule rule,
            Verdict verdict,
            Optional<FindingRow> before,
            boolean paused,
            Instant now)
            throws StoreException {
        Ladder ladder = rule.escalation().orElse(siteLadder);
        Escalation.Move move =
                Escalation.step(before.map(Episodes::episode), verdict, rule.timing(), ladder, paused, now);
        if (move.episode().isEmpty()) {
            return Decision.NOTHING;
        }
        FindingRow row = row(subject, user, rule, move.episode().get(), verdict, before);
        if (move.due().isEmpty()) {
            return new Decision(Optional.of(row), List.of());
        }
        int step = move.due().get();
        Optional<List<Notice>> notices =
                planner.plan(row, run, aim(step, ladder.steps().get(step - 1).target()));
        return new Decision(
                Optional.of(notices.isPresent() ? row : row.delivered(step, false, now)), notices.orElse(List.of()));
    }

    /**
     * Whether an episode would begin, go on otherwise or end, or a step is due. What is only suspected must hold without a
     * break, so it always counts as new.
     */
    boolean isNews(Rule rule, Verdict verdict, Optional<FindingRow> before, boolean paused, Instant now) {
        Optional<Episode> known = before.map(Episodes::episode);
        Ladder ladder = rule.escalation().orElse(siteLadder);
        Escalation.Move move = Escalation.step(known, verdict, rule.timing(), ladder, paused, now);
        if (known.isEmpty() || move.episode().isEmpty()) {
            return known.isPresent() != move.episode().isPresent();
        }
        Episode was = known.get();
        Episode is = move.episode().get();
        return move.due().isPresent()
                || was.state() == Escalation.State.SUSPECTED
                || is.state() != was.state()
                || !is.clearSince().equals(was.clearSince())
                || !is.climb().equals(was.climb());
    }

    private static Notice.Aim aim(int step, Ladder.Target target) {
        Notice.Channel channel =
                switch (target) {
                    case OWNER -> Notice.Channel.OWNER;
                    case COORDINATOR -> Notice.Channel.COORDINATOR;
                    case STAFF -> Notice.Channel.STAFF;
                    case WEBHOOK -> Notice.Channel.WEBHOOK;
                    case CANCEL, HOLD, REQUEUE, SHORTEN, LOWER_QOS -> Notice.Channel.SLURM;
                };
        return new Notice.Aim(
                step,
                channel,
                Notice.Topic.FINDING,
                target.isDeed() ? target.name().toLowerCase(Locale.ROOT) : "");
    }

    /** Episodes of what is not there any more are over themselves. */
    static List<FindingRow> ofEnded(Collection<FindingRow> open, Predicate<Subject> alive, Instant now) {
        return open.stream()
                .filter(row -> !alive.test(row.subject()))
                .map(row -> row.resolved(now))
                .toList();
    }

    private static Episode episode(FindingRow row) {
        return new Episode(
                switch (row.state()) {
                    case SUSPECTED -> Escalation.State.SUSPECTED;
                    case FOUND -> Escalation.State.FOUND;
                    case TOLD -> Escalation.State.TOLD;
                    case RESOLVED -> Escalation.State.RESOLVED;
                },
                row.since(),
                row.lastSeen(),
                row.clearSince(),
                row.toldAt(),
                new Climb(
                        row.progress().planned(),
                        row.progress().done(),
                        row.progress().doneAt()));
    }

    private FindingRow row(
            Subject subject, String user, Rule rule, Episode episode, Verdict verdict, Optional<FindingRow> before) {
        Optional<Verdict.Finding> finding =
                verdict instanceof Verdict.Finding now ? Optional.of(now) : Optional.empty();
        return new FindingRow(
                subject,
                rule.name(),
                episode.since(),
                switch (episode.state()) {
                    case SUSPECTED -> FindingRow.State.SUSPECTED;
                    case FOUND -> FindingRow.State.FOUND;
                    case TOLD -> FindingRow.State.TOLD;
                    case RESOLVED -> FindingRow.State.RESOLVED;
                },
                episode.lastSeen(),
                episode.clearSince(),
                episode.toldAt(),
                user,
                finding.map(Verdict.Finding::summary)
                        .or(() -> before.map(FindingRow::summary))
                        .orElse(""),
                finding.map(Verdict.Finding::fix)
                        .or(() -> before.map(FindingRow::fix))
                        .orElse(""),
                finding.map(Episodes::evidence)
                        .or(() -> before.map(FindingRow::evidence))
                        .orElse("{}"),
                new FindingRow.Progress(
                        episode.climb().planned(),
                        episode.climb().done(),
                        episode.climb().doneAt()),
                finding.map(Episodes::translations)
                        .or(() -> before.map(FindingRow::translations))
                        .orElse(Map.of()));
    }

    /** A note on a run that is over: there is nothing left to climb, and nothing to resolve. */
    static FindingRow note(Run run, Rule rule, Verdict.Finding finding) {
        Instant end = run.end().orElse(run.asOf());
        return new FindingRow(
                run.key(),
                rule.name(),
                end,
                FindingRow.State.RESOLVED,
                end,
                Optional.of(end),
                Optional.empty(),
                run.owner().user(),
                finding.summary(),
                finding.fix(),
                evidence(finding),
                FindingRow.Progress.NONE,
                translations(finding));
    }

    private static Map<String, FindingRow.Said> translations(Verdict.Finding finding) {
        Map<String, FindingRow.Said> translations = new LinkedHashMap<>();
        finding.translations()
                .forEach((language, said) ->
                        translations.put(language, new FindingRow.Said(said.summary(), said.fix())));
        return translations;
    }

    /** The numbers behind a finding, which parts it means, and whether it may end the job. */
    private static String evidence(Verdict.Finding finding) {
        Map<String, Object> evidence = new LinkedHashMap<>(finding.evidence());
        evidence.put(
                "selected",
                finding.selected().stream()
                        .map(Verdict.Selected::name)
                        .filter(name -> !name.isEmpty())
                        .toList());
        if (finding.cancellable()) {
            evidence.put("cancellable", true);
        }
        try {
            return JSON.writeValueAsString(evidence);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("evidence of plain values cannot be written", e);
        }
    }
}
