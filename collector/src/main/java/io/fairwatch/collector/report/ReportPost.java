package io.fairwatch.collector.report;

import io.fairwatch.collector.notice.Letter;
import io.fairwatch.collector.notice.Letter.Attachment;
import io.fairwatch.collector.notice.Post;
import io.fairwatch.collector.report.Report.Scope;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.text.Plain;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Sends reports by mail when their period is over and everything about it has arrived. What was sent is remembered by {@link
 * Post}; a period that was over long before somebody asked for mails is not sent. Confined to one thread; blocks.
 */
public final class ReportPost {
    /** A period that ended longer ago is left alone. */
    private static final Duration LATEST = Duration.ofDays(14);

    /** After what a report is sent. */
    public enum When {
        SEMESTER,
        MONTH
    }

    /** What is attached. */
    public enum Format {
        PDF,
        HTML,
        /** Everything but the runs, with a CSV file for each table and the scripts. */
        ZIP
    }

    /**
     * Who gets which reports. Immutable.
     *
     * @param to addresses; none: nothing is sent
     * @param every after what
     * @param language {@code en} or {@code da}
     * @param formats what is attached
     * @param after how long after the period's end
     */
    public record Settings(List<String> to, Set<When> every, String language, Set<Format> formats, Duration after) {
        public Settings {
            to = List.copyOf(to);
            every = every.isEmpty() ? EnumSet.of(When.SEMESTER) : EnumSet.copyOf(every);
            formats = formats.isEmpty() ? EnumSet.of(Format.PDF) : EnumSet.copyOf(formats);
            Words.Language.of(language); // refuses what it does not know
        }
    }

    private final Store store;
    private final ReportDesk desk;
    private final Post post;
    private final Settings settings;
    private final ZoneId zone;
    private final InstantSource clock;

    public ReportPost(Store store, ReportDesk desk, Post post, Settings settings, ZoneId zone, InstantSource clock) {
        this.store = store;
        this.desk = desk;
        this.post = post;
        this.settings = settings;
        this.zone = zone;
        this.clock = clock;
    }

    /** Sends what is due. */
    public void run() throws StoreException, IOException {
        for (Period period : due(clock.instant())) {
            List<String> left = new ArrayList<>();
            for (String to : settings.to()) {
                if (!post.isOver(what(period), to)) {
                    left.add(to);
                }
            }
            if (left.isEmpty()) {
                continue;
            }
            Letter letter = letter(
                    desk.report(period, new Scope.Cluster(), desk.settings().people()));
            for (String to : left) {
                post.send(what(period), to, letter);
            }
        }
    }

    private static String what(Period period) {
        return "report " + period.name();
    }

    /** Periods of which a report is to be sent at an instant, and of which ended jobs are known to the end. */
    List<Period> due(Instant now) throws StoreException {
        List<Period> periods = new ArrayList<>();
        if (settings.every().contains(When.SEMESTER)) {
            Period.newest(desk.settings().calendar(), zone, now).ifPresent(periods::add);
        }
        if (settings.every().contains(When.MONTH)) {
            LocalDate month = LocalDate.ofInstant(now, zone).withDayOfMonth(1);
            periods.add(Period.parse(
                    desk.settings().calendar(),
                    Optional.empty(),
                    Optional.of(month.minusMonths(1).toString()),
                    Optional.of(month.toString()),
                    zone,
                    now));
        }
        Optional<Instant> known = store.accountingUntil();
        return periods.stream()
                .filter(period -> {
                    Instant from = period.to().plus(settings.after());
                    return !now.isBefore(from)
                            && now.isBefore(from.plus(LATEST))
                            && !known.orElse(period.to()).isBefore(period.to());
                })
                .toList();
    }

    private Letter letter(Report report) throws IOException {
        ReportFiles files = new ReportFiles(report, settings.language());
        Words words = new Words(Words.Language.of(settings.language()), report.zone());
        String name = "gpu-report-" + report.period().name().replaceAll("[^A-Za-z0-9-]+", "-");
        List<Attachment> attachments = new ArrayList<>();
        for (Format format : settings.formats()) {
            attachments.add(
                    switch (format) {
                        case PDF -> new Attachment(name + ".pdf", "application/pdf", files.pdf());
                        case HTML ->
                            new Attachment(
                                    name + ".html", "text/html", files.html().getBytes(StandardCharsets.UTF_8));
                        case ZIP -> new Attachment(name + ".zip", "application/zip", files.zip(Map.of()));
                    });
        }
        String text = files.summary();
        return new Letter(
                Plain.line(
                        words.say(Say.of(
                                "title.report.cluster",
                                Cell.text(report.site()),
                                Cell.text(report.period().name()))),
                        150),
                text,
                "<!DOCTYPE html><html lang=\"" + settings.language()
                        + "\"><body style=\"font-family:sans-serif\"><pre style=\"font-family:inherit;white-space:pre-wrap\">"
                        + Plain.html(text) + "</pre></body></html>",
                attachments);
    }
}
