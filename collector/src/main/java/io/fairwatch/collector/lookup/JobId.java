package io.fairwatch.collector.lookup;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.text.Plain;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A job as people write it. Immutable.
 *
 * @param text as written
 * @param number of the job, of the array, or of the leader of a heterogeneous job
 * @param part which part is meant; absent: all of it
 */
record JobId(String text, long number, Optional<Part> part) {
    private static final Pattern TASKS = Pattern.compile("(\\d{1,9})(?:-(\\d{1,9})(?::(\\d{1,9}))?)?");
    private static final Pattern ID = Pattern.compile("(\\d{1,18})(?:([_+])(\\d{1,9}))?");

    /** A task of an array, or a component of a heterogeneous job. */
    record Part(boolean task, long number) {}

    /**
     * Reads one: {@code 83549}, {@code 83549_3}, {@code 83549+1}.
     *
     * @throws IllegalArgumentException if it is no job id
     */
    static JobId parse(String text) {
        Matcher parts = ID.matcher(text.strip());
        if (!parts.matches()) {
            throw new IllegalArgumentException("job id: \"" + Plain.line(text, 40)
                    + "\" (expected: a number such as 83549, or 83549_3, or 83549+1)");
        }
        return new JobId(
                parts.group(),
                Long.parseLong(parts.group(1)),
                Optional.ofNullable(parts.group(2))
                        .map(kind -> new Part(kind.equals("_"), Long.parseLong(parts.group(3)))));
    }

    /** Whether it means this run, which has its number as its own or as its leader's. */
    boolean isOf(Run run) {
        return part.isEmpty()
                || (part.get().task()
                        ? run.ids()
                                .arrayTaskId()
                                .equals(OptionalLong.of(part.get().number()))
                        : run.ids().hetOffset().isPresent()
                                && run.ids().hetOffset().getAsInt()
                                        == part.get().number());
    }

    /** Whether it means this waiting job. */
    boolean isOf(long jobId, String displayId) {
        return part.isEmpty()
                ? jobId == number || displayId.startsWith(number + "_")
                : displayId.equals(text)
                        || (part.get().task() && isWithin(displayId, part.get().number()));
    }

    /** Whether a task is within {@code 5_[3-4,7,10-20:5%2]}. */
    private boolean isWithin(String displayId, long task) {
        String tasks = displayId.replaceFirst("%\\d+\\]$", "]");
        String begin = number + "_[";
        if (!tasks.startsWith(begin) || !tasks.endsWith("]")) {
            return false;
        }
        return Arrays.stream(tasks.substring(begin.length(), tasks.length() - 1).split(",", -1))
                .map(TASKS::matcher)
                // Slurm cuts long lists with dots: the task may be behind them
                .anyMatch(range -> !range.matches() || isWithin(range, task));
    }

    private static boolean isWithin(Matcher range, long part) {
        long first = Long.parseLong(range.group(1));
        long last = range.group(2) == null ? first : Long.parseLong(range.group(2));
        long step = range.group(3) == null ? 1 : Math.max(1, Long.parseLong(range.group(3)));
        return part >= first && part <= last && (part - first) % step == 0;
    }
}
