package io.fairwatch.collector.notice;

import io.fairwatch.collector.notice.LetterWriter.Audience;
import io.fairwatch.collector.notice.LetterWriter.News;
import io.fairwatch.collector.notice.LetterWriter.Order;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.text.Plain;
import java.util.ArrayList;
import java.util.List;

/** The subject of a letter and its first sentences. Immutable. */
final class LetterHead {
    private static final int MOST_IN_SUBJECT = 3;

    private final Texts texts;
    private final String site;
    private final Order order;
    private final FindingRow first;
    private final String job;
    private final String user;

    LetterHead(Texts texts, String site, Order order) {
        this.texts = texts;
        this.site = site;
        this.order = order;
        this.first = order.matters().isEmpty()
                ? order.others().get(0).finding()
                : order.matters().get(0).findings().get(0);
        this.job = order.matters().isEmpty()
                ? waiting(first)
                : LetterBlocks.job(order.matters().get(0).run());
        this.user = Plain.line(first.user(), 80);
    }

    private static String waiting(FindingRow finding) {
        return finding.subject() instanceof Subject.Waiting job ? Long.toString(job.jobId()) : "";
    }

    private boolean toOwner() {
        return order.audience() == Audience.OWNER;
    }

    /** Of the news, or of all that was found. */
    String subject() {
        return order.news().map(this::subject).orElseGet(this::found);
    }

    private String subject(News news) {
        if (news instanceof News.Done done) {
            return say(toOwner() ? "subject.done.owner" : "subject.done.staff", "deed", deed(done));
        }
        if (news instanceof News.Proposed) {
            return say("subject.proposed", "sentence", sentence());
        }
        return say(
                news instanceof News.Unreachable
                        ? "subject.unreachable"
                        : job.isEmpty() ? "subject.answered.you" : "subject.answered");
    }

    private String found() {
        List<Matter> matters = order.matters();
        if (matters.isEmpty()) {
            return say(
                    switch (order.audience()) {
                        case OWNER -> "subject.other";
                        case COORDINATOR -> "subject.other.coordinator";
                        case STAFF -> "subject.other.staff";
                    },
                    "sentence",
                    sentence());
        }
        return switch (order.audience()) {
            case OWNER ->
                matters.size() == 1
                        ? say("subject.one", "sentence", sentence())
                        : say(
                                "subject.many",
                                "jobs",
                                listed(matters.stream()
                                        .map(matter -> LetterBlocks.job(matter.run()))
                                        .toList()),
                                "sentence",
                                sentence());
            case COORDINATOR ->
                say(
                        "subject.coordinator",
                        "count",
                        Integer.toString(matters.size()),
                        "account",
                        account(60),
                        "sentence",
                        sentence());
            case STAFF ->
                say(
                        "subject.staff",
                        "users",
                        listed(matters.stream()
                                .map(matter -> Plain.line(matter.run().owner().user(), 40))
                                .distinct()
                                .toList()),
                        "sentence",
                        sentence());
        };
    }

    /** What the letter is about, in sentences. */
    List<String> opening() {
        if (order.news().isPresent()) {
            return opening(order.news().get());
        }
        if (order.matters().isEmpty()) {
            return List.of(say(
                    switch (order.audience()) {
                        case OWNER -> "opening.other";
                        case COORDINATOR -> "opening.other.coordinator";
                        case STAFF -> "opening.other.staff";
                    }));
        }
        int count = order.matters().size();
        List<String> opening = new ArrayList<>();
        opening.add(
                switch (order.audience()) {
                    case OWNER ->
                        count == 1 ? say("opening.one") : say("opening.many", "count", Integer.toString(count));
                    case COORDINATOR -> say("opening.coordinator", "account", account(80));
                    case STAFF -> say("opening.staff");
                });
        if (toOwner() && count == 1) {
            order.matters()
                    .get(0)
                    .course()
                    .toldAt()
                    .ifPresent(at -> opening.add(say("opening.again", "when", texts.full(at))));
        }
        return opening;
    }

    private List<String> opening(News news) {
        if (news instanceof News.Done done) {
            return List.of(say(
                    toOwner() ? "opening.done.owner" : "opening.done.staff",
                    "deed",
                    deed(done),
                    "when",
                    texts.full(done.at())));
        }
        if (news instanceof News.Proposed) {
            return List.of(
                    say("opening.proposed", "when", texts.full(first.toldAt().orElse(order.now()))));
        }
        if (news instanceof News.Unreachable unreachable) {
            return List.of(say("opening.unreachable"), Plain.line(unreachable.why(), 300));
        }
        String answer = news instanceof News.Answered answered ? answered.answer() : "";
        return List.of(
                say(job.isEmpty() ? "opening.answered.you" : "opening.answered"),
                say("answer.was", "answer", Plain.line(answer, 500)));
    }

    private String deed(News.Done done) {
        return texts.say("deed." + done.deed());
    }

    private String account(int most) {
        return Plain.line(order.matters().get(0).run().owner().account(), most);
    }

    /** A text with what every one of them may use, and more. */
    private String say(String key, String... more) {
        List<String> words = new ArrayList<>(List.of("site", site, "job", job, "user", user));
        words.addAll(List.of(more));
        return texts.say(key, words.toArray(String[]::new));
    }

    private String listed(List<String> names) {
        String some = String.join(", ", names.stream().limit(MOST_IN_SUBJECT).toList());
        return names.size() <= MOST_IN_SUBJECT
                ? some
                : texts.say("subject.more", "jobs", some, "count", Integer.toString(names.size() - MOST_IN_SUBJECT));
    }

    /** The first sentence of the summary. */
    private String sentence() {
        String sentence = first.said(texts.language()).summary().strip().split("(?<=\\.)\\s", 2)[0];
        return Plain.line(sentence.replaceFirst("\\.$", ""), 90);
    }
}
