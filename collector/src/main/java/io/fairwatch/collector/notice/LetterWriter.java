package io.fairwatch.collector.notice;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.text.Plain;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * Writes the letter about one finding, as text and as HTML from the same facts. Thread-safe.
 *
 * <p>What was not measured is called unknown and counts for nothing. Times are exact to the minute and never rounded up.
 */
public final class LetterWriter {
    /** Said above the line that ends a job, where the rule itself does not give it. */
    static final String ENDING_IT = "If you do not need the job any more, this ends it and frees what it holds:";

    private static final int MOST_GPUS = 16;
    private static final int MOST_NODES = 6;
    private static final int MOST_NUMBERS = 8;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Site site;

    public LetterWriter(Site site) {
        this.site = site;
    }

    /**
     * Who writes. Immutable.
     *
     * @param name what people call the cluster, e.g. {@code AI Cloud}
     * @param support address of the people who can help
     * @param url where the collector's pages are; absent: not told
     * @param zone zone of all times
     */
    public record Site(String name, String support, Optional<URI> url, ZoneId zone) {
        public Site {
            if (!Addresses.isAddress(support)) {
                throw new IllegalArgumentException("support: " + Plain.line(support, 80) + " (expected: an address)");
            }
        }
    }

    /**
     * What a letter is about. Immutable.
     *
     * @param run the run
     * @param finding what was found
     * @param use what it did with its GPUs, all over the same interval
     * @param simulated said at the top when GPUs are not real; absent: they are
     * @param now when the letter is written
     */
    public record Matter(Run run, FindingRow finding, List<GpuUse> use, Optional<String> simulated, Instant now) {
        public Matter {
            use = List.copyOf(use);
        }
    }

    /** Writes the letter. */
    public Letter write(Matter matter) {
        Facts facts = facts(matter);
        return new Letter(facts.subject, TextLetter.write(facts), HtmlLetter.write(facts));
    }

    /** What both forms of the letter say; all texts are safe to show, none is escaped for HTML. Immutable. */
    record Facts(
            String subject,
            Optional<String> simulated,
            String greeting,
            String opening,
            List<String> found,
            List<Line> job,
            String gpusTitle,
            List<Gpu> gpus,
            Optional<String> gpusLeftOut,
            Optional<String> held,
            List<String> fix,
            Optional<String> scancel,
            String help,
            String measured,
            Optional<String> numbers,
            String closing) {}

    /** A line about the job. */
    record Line(String name, String value) {}

    /** A line about a GPU; empty texts are unknown. */
    record Gpu(
            String node,
            String number,
            String model,
            OptionalDouble meanRatio,
            String mean,
            String max,
            String memory,
            String processes,
            String idleSince,
            Duration idleFor) {}

    private Facts facts(Matter matter) {
        Run run = matter.run;
        String job = Plain.line(run.displayId(), 40);
        String siteName = Plain.line(site.name, 40);
        List<String> found = Plain.lines(matter.finding.summary(), 500);
        List<Gpu> gpus = matter.use.stream()
                .map(use -> gpu(use, matter.now))
                .sorted(Comparator.comparing(Gpu::idleFor).reversed())
                .limit(MOST_GPUS)
                .sorted(Comparator.comparing(Gpu::node)
                        .thenComparing(gpu -> gpu.number.length())
                        .thenComparing(Gpu::number))
                .toList();
        int leftOut = matter.use.size() - gpus.size();
        return new Facts(
                subject(siteName, job, matter.finding),
                matter.simulated.map(sentence -> Plain.line(sentence, 300)),
                "Hello " + firstPart(matter.finding.user()) + ",",
                "this is about your job " + job + " on " + siteName
                        + ", which is still running. Nothing has been done to it.",
                found,
                jobLines(run, matter.now),
                gpusTitle(matter),
                gpus,
                leftOut > 0
                        ? Optional.of("and " + leftOut + " more; shown are those that were idle longest")
                        : Optional.empty(),
                held(matter),
                Plain.lines(matter.finding.fix(), 500),
                Optional.of("scancel " + job)
                        .filter(line -> !matter.finding.fix().contains("scancel ")),
                "If the job is right as it is, or you are not sure what to change, please write to " + site.support
                        + ". We are glad to help.",
                measured(matter),
                numbers(matter.finding),
                "You get one mail about this. "
                        + site.url
                                .map(url -> "More about Fairwatch: " + Plain.line(url.toString(), 200))
                                .orElse("It was written by Fairwatch for " + siteName + "."));
    }

    /** The first sentence of the summary. */
    private static String subject(String siteName, String job, FindingRow finding) {
        String summary = finding.summary().strip().split("(?<=\\.)\\s", 2)[0];
        String line = Plain.line(summary.replaceFirst("\\.$", ""), 90);
        return "[" + siteName + "] Job " + job + ": " + line;
    }

    /** {@code tlj} of {@code tlj@its.aau.dk}. */
    private static String firstPart(String user) {
        int at = user.indexOf('@');
        return Plain.line(at > 0 ? user.substring(0, at) : user, 60);
    }

    private List<Line> jobLines(Run run, Instant now) {
        List<Line> lines = new ArrayList<>();
        String name = Plain.line(run.name(), 60);
        lines.add(new Line("Job", Plain.line(run.displayId(), 40) + (name.isEmpty() ? "" : "  (" + name + ")")));
        lines.add(new Line(
                "Partition",
                Plain.line(run.owner().partition(), 40)
                        + (run.owner().qos().isEmpty()
                                ? ""
                                : ", QoS " + Plain.line(run.owner().qos(), 40))));
        lines.add(new Line(
                run.allocation().nodes().size() == 1 ? "Node" : "Nodes",
                nodes(run.allocation().nodes())));
        lines.add(new Line(
                "Running",
                "since " + full(run.key().start()) + ", so far "
                        + Plain.duration(Duration.between(run.key().start(), now))));
        run.timeLimit().ifPresent(limit -> {
            Instant end = run.key().start().plus(limit).plus(run.suspended());
            lines.add(new Line("Time limit", Plain.duration(limit) + ", ends by itself " + full(end)));
        });
        return lines;
    }

    private static String nodes(List<String> nodes) {
        String first = String.join(
                ", ",
                nodes.stream()
                        .limit(MOST_NODES)
                        .map(node -> Plain.line(node, 64))
                        .toList());
        return nodes.size() <= MOST_NODES ? first : first + " and " + (nodes.size() - MOST_NODES) + " more";
    }

    private String gpusTitle(Matter matter) {
        if (matter.use.isEmpty()) {
            return "Nothing is known of what its GPUs did.";
        }
        GpuUse first = matter.use.get(0);
        return "What its GPUs did from " + shortTime(first.from(), matter.now) + " to "
                + shortTime(first.to(), matter.now)
                + DateTimeFormatter.ofPattern(" zzz", Locale.ENGLISH)
                        .format(first.to().atZone(site.zone));
    }

    private Gpu gpu(GpuUse use, Instant now) {
        return new Gpu(
                Plain.line(use.node(), 64),
                use.allocated().map(gpu -> Integer.toString(gpu.gresIndex())).orElse(""),
                use.device()
                        .map(device -> model(device.name()))
                        .or(() -> use.allocated().flatMap(gpu -> gpu.type()).map(type -> Plain.line(type, 30)))
                        .orElse(""),
                use.utilizationMeanRatio(),
                percent(use.utilizationMeanRatio()),
                percent(use.utilizationMaxRatio()),
                memory(
                        use.memoryUsedMaxBytes(),
                        use.device().map(device -> device.memoryTotalBytes()).orElse(OptionalLong.empty())),
                use.processesMax().isPresent()
                        ? Integer.toString(use.processesMax().getAsInt())
                        : "",
                idleSince(use, now),
                idleFor(use));
    }

    private static String model(String name) {
        return Plain.line(name.replaceFirst("^(NVIDIA |Tesla )+", ""), 30);
    }

    private static String percent(OptionalDouble ratio) {
        return ratio.isPresent() ? Plain.percent(ratio.getAsDouble()) : "";
    }

    private static String memory(OptionalLong used, OptionalLong total) {
        if (used.isEmpty()) {
            return "";
        }
        String text = gibibytes(used.getAsLong());
        return total.isPresent() ? text + " of " + gibibytes(total.getAsLong()) + " GiB" : text + " GiB";
    }

    private static String gibibytes(long bytes) {
        return String.format(Locale.ROOT, "%.1f", bytes / (double) (1L << 30));
    }

    private static boolean measuredAtAll(GpuUse use) {
        return use.samples() > 0 && use.utilizationMaxRatio().isPresent();
    }

    /** How long a GPU has been idle, as far as was seen; zero if nothing is known. */
    private static Duration idleFor(GpuUse use) {
        return measuredAtAll(use) ? Duration.between(use.lastBusyAt().orElse(use.from()), use.to()) : Duration.ZERO;
    }

    /** Within two readings nobody can tell whether something still runs. */
    private static boolean isInUse(GpuUse use) {
        double spacing = use.samples() == 0 ? 0 : use.coveredSeconds() / use.samples();
        return use.lastBusyAt().isPresent() && idleFor(use).toMillis() < 2000 * spacing;
    }

    private String idleSince(GpuUse use, Instant now) {
        if (!measuredAtAll(use)) {
            return "";
        }
        if (use.lastBusyAt().isPresent()) {
            return isInUse(use) ? "in use" : shortTime(use.lastBusyAt().get(), now);
        }
        boolean wholeRun = !use.from().isAfter(use.run().start());
        return wholeRun ? "its start" : "before " + shortTime(use.from(), now);
    }

    /** GPU-hours that the run held and did not use; only GPUs that Slurm gave it and that were measured count. */
    private Optional<String> held(Matter matter) {
        Duration idle = Duration.ZERO;
        boolean more = false;
        for (GpuUse use : matter.use) {
            if (use.allocated().isPresent() && measuredAtAll(use) && !isInUse(use)) {
                idle = idle.plus(idleFor(use));
                more |= use.lastBusyAt().isEmpty()
                        && use.from().isAfter(use.run().start());
            }
        }
        // cut, not rounded: nobody is told of more than there was
        double hours = Math.floor(idle.toMinutes() / 6.0) / 10;
        if (hours == 0) {
            return Optional.empty();
        }
        return Optional.of("So far the job has held GPUs without using them for "
                + (more ? "at least " : "")
                + String.format(Locale.ROOT, "%.1f", hours)
                + " GPU-hours. Others may be waiting for them.");
    }

    private static String measured(Matter matter) {
        int samples = matter.use.stream().mapToInt(GpuUse::samples).sum();
        double covered = matter.use.stream().mapToDouble(GpuUse::coveredSeconds).sum();
        if (samples == 0) {
            return "How this was measured: Slurm tells which GPUs a job holds. What they did is not known.";
        }
        double coverage =
                matter.use.stream().mapToDouble(GpuUse::coverage).average().orElse(0);
        return "How this was measured: Slurm tells which GPUs a job holds; an agent on the node reads them about every "
                + Math.max(1, Math.round(covered / samples)) + " s. The readings cover "
                + Plain.coverage(coverage)
                + " of the time in the table. \"Mean\" and \"max\" are the share of time in which a GPU computed"
                + " anything, not how full it was."
                + unconfirmed(matter);
    }

    /** Says for which GPUs the way from Slurm's number to the device is doubtful. */
    private static String unconfirmed(Matter matter) {
        List<String> doubtful = matter.use.stream()
                .flatMap(use -> use.allocated().stream())
                .filter(gpu -> switch (gpu.confidence()) {
                    case UNKNOWN, ASSUMED, CONTRADICTED -> true;
                    case CERTAIN, CONFIRMED -> false;
                })
                .limit(MOST_GPUS)
                .map(gpu -> gpu.gresIndex() + " on " + Plain.line(gpu.node(), 64))
                .toList();
        return doubtful.isEmpty()
                ? ""
                : " It is not confirmed which device is behind Slurm's number for GPU " + String.join(", ", doubtful)
                        + ".";
    }

    /** The plain numbers of the evidence; nothing if there are none. */
    private static Optional<String> numbers(FindingRow finding) {
        List<String> numbers = new ArrayList<>();
        try {
            JSON.readTree(finding.evidence()).properties().forEach(field -> {
                if (field.getValue().isValueNode() && numbers.size() < MOST_NUMBERS) {
                    numbers.add(Plain.line(field.getKey(), 40) + " = " + Plain.line(number(field.getValue()), 40));
                }
            });
        } catch (JsonProcessingException expected) {
            // a letter without these numbers is still right
            return Optional.empty();
        }
        return numbers.isEmpty()
                ? Optional.empty()
                : Optional.of("Rule " + Plain.line(finding.rule(), 60) + ": " + String.join(", ", numbers) + ".");
    }

    private static String number(JsonNode value) {
        return value.isFloatingPointNumber()
                ? BigDecimal.valueOf(value.doubleValue())
                        .setScale(3, RoundingMode.HALF_UP)
                        .stripTrailingZeros()
                        .toPlainString()
                : value.asText();
    }

    /** E.g. {@code Mon 23 Nov 2026 08:12 CET}. */
    private String full(Instant at) {
        return DateTimeFormatter.ofPattern("EEE d MMM yyyy HH:mm zzz", Locale.ENGLISH)
                .format(at.atZone(site.zone));
    }

    /** {@code 08:12}, or {@code 22 Nov 08:12} on another day than the letter's. */
    private String shortTime(Instant at, Instant now) {
        ZonedDateTime local = at.atZone(site.zone);
        boolean today = local.toLocalDate().equals(now.atZone(site.zone).toLocalDate());
        return DateTimeFormatter.ofPattern(today ? "HH:mm" : "d MMM HH:mm", Locale.ENGLISH)
                .format(local);
    }
}
