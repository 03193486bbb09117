package io.fairwatch.collector.report;

import io.fairwatch.collector.report.Report.Line;
import io.fairwatch.collector.text.Csv;
import io.fairwatch.collector.text.Plain;
import io.fairwatch.collector.text.Table;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Renders a report as text and CSV. Immutable. */
public final class ReportText {
    private static final int BAR = 20;
    private static final int MOST_ROWS = 30;

    private final ZoneId zone;

    public ReportText(ZoneId zone) {
        this.zone = zone;
    }

    /** For people. */
    public String page(Report report) {
        StringBuilder page = new StringBuilder();
        report.simulated()
                .ifPresent(sentence -> page.append("** ").append(sentence).append(" **\n"));
        page.append("GPU use, ")
                .append(report.period().name())
                .append(": ")
                .append(Plain.minute(report.period().from(), zone))
                .append(" to ")
                .append(Plain.minute(report.period().to(), zone))
                .append(" (")
                .append(zone)
                .append(")\n\n");
        Line total = report.total();
        page.append(total.runs())
                .append(total.runs() == 1 ? " run held " : " runs held ")
                .append(hours((double) total.allocatedGpuSeconds()))
                .append(" GPU-hours. Seen of them: ")
                .append(
                        total.allocatedGpuSeconds() > 0
                                ? Plain.coverage(total.seenGpuSeconds() / total.allocatedGpuSeconds())
                                : "unknown")
                .append(".\n");
        page.append("Of what was seen, ")
                .append(share(total.usedGpuSeconds(), total.seenGpuSeconds()))
                .append(" was used and ")
                .append(share(total.idleGpuSeconds(), total.seenGpuSeconds()))
                .append(" idle (")
                .append(hours(total.idleGpuSeconds()))
                .append(" GPU-hours in which nothing ran).\n");
        if (total.outsideGpuSeconds() > 0) {
            page.append("Beside that, ")
                    .append(hours(total.outsideGpuSeconds()))
                    .append(" GPU-hours on GPUs that Slurm did not give (not known to Slurm, or not the job's own).\n");
        }
        page.append("In the bars: # used, - idle, . neither (ran, but not all the time), ? not seen.\n");
        report.groups().forEach((by, lines) -> page.append('\n').append(table(by, lines)));
        page.append("\nSources: allocated by Slurm")
                .append(report.accountingUntil()
                        .map(until -> ", ended jobs complete until " + Plain.minute(until, zone))
                        .orElse(", whose accounting has not answered yet"))
                .append("; used by NVML on the nodes. Nothing that was not seen was filled in.\n");
        return page.toString();
    }

    private static String table(String by, List<Line> lines) {
        List<String[]> rows = new ArrayList<>();
        rows.add(new String[] {"by " + by, "runs", "GPU-hours", "used", "idle", "not seen", "outside", ""});
        lines.stream()
                .limit(MOST_ROWS)
                .forEach(line -> rows.add(new String[] {
                    line.name().isEmpty() ? "(none)" : Plain.line(line.name(), 40),
                    Integer.toString(line.runs()),
                    hours((double) line.allocatedGpuSeconds()),
                    hours(line.usedGpuSeconds()),
                    hours(line.idleGpuSeconds()),
                    hours(line.unseenGpuSeconds()),
                    hours(line.outsideGpuSeconds()),
                    bar(line)
                }));
        String more = lines.size() > MOST_ROWS ? "... and " + (lines.size() - MOST_ROWS) + " more, see --csv\n" : "";
        return Table.render(rows) + more;
    }

    private static String bar(Line line) {
        double all = line.allocatedGpuSeconds();
        if (all <= 0) {
            return " ".repeat(BAR + 2);
        }
        int used = cells(line.usedGpuSeconds(), all);
        int idle = Math.min(BAR - used, cells(line.idleGpuSeconds(), all));
        int unseen = Math.min(BAR - used - idle, cells(line.unseenGpuSeconds(), all));
        return "[" + "#".repeat(used) + ".".repeat(BAR - used - idle - unseen) + "-".repeat(idle) + "?".repeat(unseen)
                + "]";
    }

    private static int cells(double part, double all) {
        return (int) Math.min(BAR, Math.round(part / all * BAR));
    }

    /** For other programs: seconds, one line for each group and name. */
    public String csv(Report report) {
        StringBuilder csv = new StringBuilder("by,name,runs,allocated_gpu_seconds,seen_gpu_seconds,used_gpu_seconds,"
                + "idle_gpu_seconds,outside_gpu_seconds,simulated\n");
        csv.append(csvLine("all", report.total(), report));
        report.groups().forEach((by, lines) -> lines.forEach(line -> csv.append(csvLine(by, line, report))));
        return csv.toString();
    }

    private static String csvLine(String by, Line line, Report report) {
        return String.format(
                Locale.ROOT,
                "%s,%s,%d,%d,%.1f,%.1f,%.1f,%.1f,%s\n",
                by,
                Csv.quoted(line.name()),
                line.runs(),
                line.allocatedGpuSeconds(),
                line.seenGpuSeconds(),
                line.usedGpuSeconds(),
                line.idleGpuSeconds(),
                line.outsideGpuSeconds(),
                report.simulated().isPresent() ? "yes" : "no");
    }

    private static String hours(double seconds) {
        return String.format(Locale.ROOT, seconds < 36_000 ? "%.2f" : "%.0f", seconds / 3600);
    }

    private static String share(double part, double all) {
        return all > 0 ? Plain.percent(part / all) : "unknown";
    }
}
