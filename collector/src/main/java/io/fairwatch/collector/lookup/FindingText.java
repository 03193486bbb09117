package io.fairwatch.collector.lookup;

import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Notice;
import io.fairwatch.collector.text.Csv;
import io.fairwatch.collector.text.Plain;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Renders findings as text and CSV. Immutable. */
public final class FindingText {
    private static final int LONGEST_NAME = 40;

    private final ZoneId zone;
    private final int width;

    /** @param width columns of the terminal */
    public FindingText(ZoneId zone, int width) {
        this.zone = zone;
        this.width = Math.max(40, width);
    }

    /** For each what it is about, since when, who was told; then what its owner reads. */
    public String page(Listing<FindingLine> list) {
        StringBuilder page = new StringBuilder();
        list.simulated()
                .ifPresent(sentence ->
                        page.append("** ").append(Plain.line(sentence, 200)).append(" **\n"));
        if (list.items().isEmpty()) {
            page.append("Nothing was found that is still so.\n");
        }
        list.items().forEach(finding -> page.append(Plain.wrap(heading(finding, list.at()), width, ""))
                .append('\n')
                .append(Plain.wrap(Plain.line(finding.summary() + " " + finding.fix(), 1000), width, "    "))
                .append("\n\n"));
        list.next()
                .ifPresent(next -> page.append("And more, not shown: ask for fewer, or for the next ones by --after ")
                        .append(next)
                        .append("\n\n"));
        return page.append("Slurm: ")
                .append(list.slurmAsOf()
                        .map(at -> "as of " + Plain.duration(Duration.between(at, list.at())) + " ago")
                        .orElse("has not answered yet"))
                .append(".\n")
                .toString();
    }

    private String heading(FindingLine finding, Instant now) {
        String about = finding.jobId().isPresent()
                ? "job " + finding.jobId().getAsLong() + (finding.kind().equals("waiting") ? " (waiting)" : "") + " of "
                        + name(finding.user())
                : finding.node().map(node -> "node " + name(node)).orElse("user " + name(finding.user()));
        String since = ", since " + Plain.minute(finding.since(), zone) + " ("
                + Plain.duration(Duration.between(finding.since(), now)) + ")";
        return Plain.line(finding.rule(), LONGEST_NAME) + ": " + about + since + told(finding, now);
    }

    private String told(FindingLine finding, Instant now) {
        String state = finding.state() == FindingRow.State.RESOLVED
                ? ", over since " + Plain.minute(finding.clearSince().orElse(finding.lastSeen()), zone)
                : "";
        Optional<FindingLine.Sent> last = finding.notices().isEmpty()
                ? Optional.empty()
                : Optional.of(finding.notices().get(finding.notices().size() - 1));
        return state
                + finding.toldAt()
                        .map(at -> ", owner told " + Plain.duration(Duration.between(at, now)) + " ago")
                        .orElse(", owner not told")
                + last.filter(sent -> sent.state() != Notice.State.DELIVERED || sent.channel() != Notice.Channel.OWNER)
                        .map(sent -> ", " + sent.channel().name().toLowerCase(Locale.ROOT) + " notice "
                                + sent.state().name().toLowerCase(Locale.ROOT))
                        .orElse("");
    }

    private static String name(String text) {
        return Plain.line(text, LONGEST_NAME);
    }

    /** A line for each finding. */
    public String csv(List<FindingLine> findings) {
        Csv csv = new Csv(
                "rule",
                "kind",
                "cluster",
                "job_id",
                "start",
                "node",
                "user",
                "since",
                "state",
                "last_seen",
                "clear_since",
                "told_at",
                "summary",
                "fix",
                "notices");
        for (FindingLine finding : findings) {
            csv.row(
                    finding.rule(),
                    finding.kind(),
                    finding.cluster(),
                    finding.jobId().isPresent() ? Long.toString(finding.jobId().getAsLong()) : "",
                    finding.start().map(Instant::toString).orElse(""),
                    finding.node().orElse(""),
                    finding.user(),
                    finding.since().toString(),
                    finding.state().name().toLowerCase(Locale.ROOT),
                    finding.lastSeen().toString(),
                    finding.clearSince().map(Instant::toString).orElse(""),
                    finding.toldAt().map(Instant::toString).orElse(""),
                    finding.summary(),
                    finding.fix(),
                    Integer.toString(finding.notices().size()));
        }
        return csv.toString();
    }
}
