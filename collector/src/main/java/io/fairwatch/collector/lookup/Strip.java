package io.fairwatch.collector.lookup;

import io.fairwatch.collector.store.GpuSeries;
import io.fairwatch.collector.store.Slots;
import io.fairwatch.collector.text.Plain;
import java.time.Duration;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/**
 * Draws how busy GPUs were over time, a line for each GPU and a column for each slot, within a terminal's width. Idle and
 * unknown look different. Immutable.
 *
 * @param width columns of the terminal
 * @param utf8 whether it shows block characters
 * @param busyAboveRatio a slot whose largest sample is not above this was idle
 */
public record Strip(int width, boolean utf8, double busyAboveRatio) {
    private static final String BLOCKS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588";
    private static final String MARKS = ".:-=+*#@";
    private static final char IDLE = '_';
    private static final char UNKNOWN = ' ';
    private static final int FEWEST = 20;
    private static final int MOST = 120;

    /** How many columns remain beside the names of GPUs. */
    public int columns(Collection<String> names) {
        return Math.max(FEWEST, Math.min(MOST, width - nameWidth(names) - 2));
    }

    private static int nameWidth(Collection<String> names) {
        return names.stream().mapToInt(String::length).max().orElse(0);
    }

    /** The drawing, with what a column is, and from when to when. */
    String render(List<GpuSeries> gpus, Slots slots, Function<GpuSeries, String> name, ZoneId zone) {
        List<String> names = gpus.stream().map(name).toList();
        int left = nameWidth(names);
        int columns = (int) Math.ceil(Duration.between(slots.from(), slots.to()).toMillis()
                / (double) slots.length().toMillis());
        StringBuilder text = new StringBuilder("Busy over time, a column is ")
                .append(length(slots.length()))
                .append("; ")
                .append(IDLE)
                .append(" idle, blank not known:\n");
        for (int i = 0; i < gpus.size(); i++) {
            text.append(padded(names.get(i), left))
                    .append("  ")
                    .append(line(gpus.get(i), slots, columns).stripTrailing())
                    .append('\n');
        }
        String from = Plain.minute(slots.from(), zone);
        String to = Plain.minute(slots.to(), zone);
        String sameDay = from.substring(0, 10).equals(to.substring(0, 10)) ? to.substring(11) : to;
        String end = from.length() + 1 + sameDay.length() > columns ? "" : sameDay;
        return text.append(" ".repeat(left + 2))
                        .append(from)
                        .append(" ".repeat(Math.max(end.isEmpty() ? 0 : 1, columns - from.length() - end.length())))
                        .append(end)
                        .toString()
                        .stripTrailing()
                + "\n";
    }

    private static String length(Duration length) {
        return length.toSeconds() < 600 && length.toSeconds() % 60 != 0
                ? length.toSeconds() + " s"
                : Plain.duration(length);
    }

    private String line(GpuSeries gpu, Slots slots, int columns) {
        char[] line = new char[columns];
        java.util.Arrays.fill(line, UNKNOWN);
        for (GpuSeries.Point point : gpu.points()) {
            int column = (int) (Duration.between(slots.from(), point.from()).toMillis()
                    / slots.length().toMillis());
            if (column >= 0 && column < columns && point.utilizationMeanRatio().isPresent()) {
                line[column] = mark(
                        point.utilizationMeanRatio().getAsDouble(),
                        point.utilizationMaxRatio().orElse(0));
            }
        }
        return new String(line);
    }

    private char mark(double mean, double max) {
        if (max <= busyAboveRatio) {
            return IDLE;
        }
        String marks = utf8 ? BLOCKS : MARKS;
        int level = (int) Math.ceil(mean * marks.length()) - 1;
        return marks.charAt(Math.max(0, Math.min(marks.length() - 1, level)));
    }

    private static String padded(String text, int width) {
        return text + " ".repeat(Math.max(0, width - text.length()));
    }

    /** Strips of several runs, each under its name. */
    public String page(SeriesLookup.SeriesView view, ZoneId zone) {
        List<String> pages = new ArrayList<>();
        for (SeriesLookup.RunSeries run : view.runs()) {
            Slots slots = new Slots(run.from(), run.to(), Duration.ofMillis((long) (run.stepSeconds() * 1000)));
            pages.add("Job " + run.job() + ": "
                    + (run.gpus().isEmpty()
                            ? "no GPU.\n"
                            : render(run.gpus(), slots, Strip::name, zone).replaceFirst("^B", "b")));
        }
        return view.simulated()
                        .map(sentence -> "** " + Plain.line(sentence, 200) + " **\n")
                        .orElse("")
                + (pages.isEmpty() ? "There is nothing of that time.\n" : String.join("\n", pages));
    }

    /** {@code nv-ai-01 #3}, or {@code nv-ai-01 index 3} where Slurm did not give it. */
    static String name(GpuSeries gpu) {
        return Plain.line(gpu.node(), 60)
                + gpu.allocated()
                        .map(given -> String.format(Locale.ROOT, " #%d", given.gresIndex()))
                        .orElseGet(() -> gpu.device()
                                .map(device -> " index " + device.index())
                                .orElse(""));
    }
}
