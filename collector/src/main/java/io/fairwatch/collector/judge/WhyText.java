package io.fairwatch.collector.judge;

import io.fairwatch.collector.judge.Explainer.EpisodeLine;
import io.fairwatch.collector.judge.Explainer.Part;
import io.fairwatch.collector.judge.Explainer.RuleAnswer;
import io.fairwatch.collector.judge.Explainer.Sent;
import io.fairwatch.collector.judge.Explainer.Why;
import io.fairwatch.collector.text.Plain;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Writes an explanation for people: findings first, then what is not known, then what is clear. Immutable. */
public final class WhyText {
    private static final int LONGEST = 400;
    private static final List<String> ORDER = List.of("finding", "unknown", "clear");

    private final DateTimeFormatter times;

    public WhyText(ZoneId zone) {
        this.times =
                DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm", Locale.ROOT).withZone(zone);
    }

    public String page(Why why) {
        StringBuilder out = new StringBuilder();
        for (Part part : why.parts()) {
            out.append(out.isEmpty() ? "" : "\n")
                    .append("Job ")
                    .append(part.job())
                    .append(" of ")
                    .append(Plain.line(part.user(), 80))
                    .append(", ")
                    .append(part.state().toLowerCase(Locale.ROOT))
                    .append(part.start().map(start -> " since " + time(start)).orElse(""))
                    .append("; rules asked as of ")
                    .append(time(part.judgedAt()))
                    .append("\n");
            part.answers().stream()
                    .sorted(Comparator.comparing((RuleAnswer answer) -> ORDER.indexOf(answer.verdict())))
                    .forEach(answer -> answer(out, answer));
        }
        if (why.left() > 0) {
            out.append("\n").append(why.left()).append(" more parts of this job are left out; ask for one of them.\n");
        }
        return out.toString();
    }

    private void answer(StringBuilder out, RuleAnswer answer) {
        out.append("\n")
                .append(String.format(Locale.ROOT, "%-8s", answer.verdict().toUpperCase(Locale.ROOT)))
                .append(answer.rule())
                .append(": ")
                .append(Plain.line(answer.why(), LONGEST))
                .append("\n");
        line(out, "excused by", answer.excused().orElse(""));
        line(out, "thresholds", numbers(answer.thresholds()));
        line(out, "saw", numbers(answer.inputs()));
        if (answer.verdict().equals("clear") && answer.episodes().isEmpty()) {
            return; // each GPU of each rule would be a book; for programs all of it is there
        }
        for (Map<String, Object> member : answer.members()) {
            line(out, "saw", numbers(member));
        }
        line(out, "not known", String.join(", ", answer.absent()));
        line(
                out,
                "coverage",
                String.format(
                        Locale.ROOT,
                        "%.0f %% (asks for %.0f %%), window %d min",
                        100 * answer.coverage(),
                        100 * answer.minimumCoverage(),
                        answer.windowSeconds() / 60));
        if (answer.verdict().equals("finding")) {
            line(out, "may end the job", answer.cancellable() ? "yes, where the site allows it" : "no");
        }
        for (EpisodeLine episode : answer.episodes()) {
            line(
                    out,
                    "episode",
                    episode.state() + " since " + time(episode.since()) + ", last seen " + time(episode.lastSeen())
                            + episode.clearSince()
                                    .map(at -> ", not since " + time(at))
                                    .orElse(""));
            for (Sent sent : episode.sent()) {
                line(
                        out,
                        "sent",
                        "step " + sent.step() + ", " + sent.way() + ": " + sent.state() + " " + time(sent.at())
                                + (sent.detail().isEmpty() ? "" : ", " + sent.detail()));
            }
        }
    }

    private static void line(StringBuilder out, String what, String text) {
        if (!text.isEmpty()) {
            out.append("        ")
                    .append(what)
                    .append(": ")
                    .append(Plain.line(text, LONGEST))
                    .append("\n");
        }
    }

    private static String numbers(Map<String, Object> values) {
        StringBuilder out = new StringBuilder();
        values.forEach((name, value) -> out.append(out.isEmpty() ? "" : ", ")
                .append(name)
                .append("=")
                .append(
                        value instanceof Double number
                                ? String.format(Locale.ROOT, "%.4g", number)
                                : String.valueOf(value)));
        return out.toString();
    }

    private String time(Instant at) {
        return times.format(at);
    }
}
