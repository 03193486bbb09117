package io.fairwatch.collector.notice;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.text.Plain;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Writes one letter to one person about one or several runs, as text and as HTML from the same facts. Thread-safe.
 *
 * <p>What was not measured is called unknown and counts for nothing. Times are exact to the minute and never rounded up.
 */
public final class LetterWriter {
    /** Runs that a letter shows; the rest is a number. */
    static final int MOST_MATTERS = 10;

    static final int MOST_GPUS = 16;
    private static final int MOST_STRIPS = 24;
    private static final int MOST_NUMBERS = 8;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Site site;
    private final Texts.Languages languages;

    public LetterWriter(Site site, Texts.Languages languages) {
        this.site = site;
        this.languages = languages;
    }

    /**
     * Who writes. Immutable.
     *
     * @param name what people call the cluster, e.g. {@code AI Cloud}
     * @param support address of the people who can help
     * @param url where the collector's pages are; absent: not told
     */
    public record Site(String name, String support, Optional<URI> url) {
        public Site {
            if (!Addresses.isAddress(support)) {
                throw new IllegalArgumentException("support: " + Plain.line(support, 80) + " (expected: an address)");
            }
        }
    }

    /** Whom a letter is for. */
    public enum Audience {
        /** The person whose runs they are. */
        OWNER,
        /** A coordinator of the account that they are charged to. */
        COORDINATOR,
        /** Support staff. */
        STAFF
    }

    /**
     * A letter to be written. Immutable.
     *
     * @param audience whom it is for
     * @param person how they are written to
     * @param called by what they are greeted when no name is known
     * @param matters runs that it is about, those that waste most first
     * @param others what else it is about; with runs at least one
     * @param news what else there is to be said than that something was found; absent: nothing
     * @param simulated said at the top when GPUs are not real; absent: they are
     * @param now when it is written
     */
    public record Order(
            Audience audience,
            Person person,
            String called,
            List<Matter> matters,
            List<Matter.Other> others,
            Optional<News> news,
            Optional<String> simulated,
            Instant now) {
        public Order {
            matters = matters.stream()
                    .sorted(Comparator.comparing(Matter::waste).reversed())
                    .toList();
            others = List.copyOf(others);
        }
    }

    /** Something that happened because of a finding. */
    public sealed interface News {
        /** Something was done to the run. */
        record Done(String deed, Instant at) implements News {}

        /** The owner could not be told, for this reason. */
        record Unreachable(String why) implements News {}

        /** Staff could do something to the run, by this command. */
        record Proposed(String command) implements News {}

        /** The owner answered, in these words. */
        record Answered(String answer) implements News {}
    }

    /** What the letter really tells of: the rest of a long one is a number. */
    Set<Subject> told(Order order) {
        return Stream.concat(
                        shown(order).stream().map(matter -> matter.run().key()),
                        order.others.stream().limit(MOST_MATTERS).map(other -> other.finding()
                                .subject()))
                .collect(Collectors.toSet());
    }

    private static List<Matter> shown(Order order) {
        return order.matters.stream().limit(MOST_MATTERS).toList();
    }

    /** Writes the letter. */
    public Letter write(Order order) {
        Facts facts = facts(order);
        return new Letter(facts.subject, TextLetter.write(facts), HtmlLetter.write(facts));
    }

    /** What both forms of the letter say; all texts are safe to show, none is escaped for HTML. Immutable. */
    record Facts(
            Texts texts,
            String subject,
            Optional<String> simulated,
            String greeting,
            List<String> opening,
            List<Block> blocks,
            Optional<String> more,
            String help,
            List<String> small) {}

    /** What is said about one run. */
    record Block(
            Optional<String> title,
            List<String> found,
            String jobTitle,
            List<Line> job,
            String gpusTitle,
            List<Gpu> gpus,
            Optional<String> gpusLeftOut,
            Optional<String> stripFrom,
            Optional<String> stripLegend,
            Optional<String> held,
            Optional<String> doTitle,
            List<String> fix,
            Optional<Command> scancel,
            List<String> next,
            Optional<Link> answer) {}

    /** A line about the job. */
    record Line(String name, String value) {}

    /** A command with what is said above it. */
    record Command(String above, String line) {}

    /** A link with what is said above it. */
    record Link(String above, String label, String url) {}

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
            Duration idleFor,
            Optional<Strip> strip) {}

    private Facts facts(Order order) {
        Texts texts = languages.of(order.person.language());
        String siteName = Plain.line(site.name, 40);
        List<Matter> shown = shown(order);
        boolean numbered = order.matters.size() + order.others.size() > 1;
        LetterBlocks about = new LetterBlocks(texts, order);
        List<Block> blocks = new ArrayList<>();
        int strips = 0;
        for (Matter matter : shown) {
            Block block = about.of(matter, numbered ? blocks.size() + 1 : 0, strips < MOST_STRIPS);
            strips += (int)
                    block.gpus.stream().filter(gpu -> gpu.strip.isPresent()).count();
            blocks.add(block);
        }
        for (Matter.Other other : order.others.stream().limit(MOST_MATTERS).toList()) {
            blocks.add(about.of(other, numbered ? blocks.size() + 1 : 0));
        }
        int left = order.matters.size() - shown.size() + Math.max(0, order.others.size() - MOST_MATTERS);
        LetterHead head = new LetterHead(texts, siteName, order);
        return new Facts(
                texts,
                head.subject(),
                order.simulated.map(sentence -> Plain.line(sentence, 300)),
                texts.say("greeting", "name", Plain.line(order.person.name().orElse(firstPart(order.called)), 60)),
                head.opening(),
                blocks,
                left > 0 ? Optional.of(texts.say("more.jobs", "count", Integer.toString(left))) : Optional.empty(),
                switch (order.audience) {
                    case OWNER -> texts.say("help", "support", site.support);
                    case COORDINATOR -> texts.say("help.coordinator", "support", site.support);
                    case STAFF -> texts.say("help.staff");
                },
                small(texts, siteName, shown, order.others));
    }

    /** {@code tlj} of {@code tlj@its.aau.dk}. */
    private static String firstPart(String user) {
        int at = user.indexOf('@');
        return at > 0 ? user.substring(0, at) : user;
    }

    private List<String> small(Texts texts, String siteName, List<Matter> matters, List<Matter.Other> others) {
        List<GpuUse> all =
                matters.stream().flatMap(matter -> matter.use().stream()).toList();
        int samples = all.stream().mapToInt(GpuUse::samples).sum();
        List<String> small = new ArrayList<>();
        if (matters.isEmpty()) {
            // nothing of a run is shown
        } else if (samples == 0) {
            small.add(texts.say("measured.nothing"));
        } else {
            double covered = all.stream().mapToDouble(GpuUse::coveredSeconds).sum();
            double coverage =
                    all.stream().mapToDouble(GpuUse::coverage).average().orElse(0);
            small.add(texts.say(
                            "measured",
                            "seconds",
                            Long.toString(Math.max(1, Math.round(covered / samples))),
                            "coverage",
                            Plain.coverage(coverage))
                    + doubtful(texts, all));
        }
        for (Matter matter : matters) {
            for (FindingRow finding : matter.findings()) {
                numbers(
                                texts,
                                finding,
                                matters.size() > 1 ? Optional.of(LetterBlocks.job(matter.run())) : Optional.empty())
                        .ifPresent(small::add);
            }
        }
        others.stream().limit(MOST_MATTERS).forEach(other -> numbers(texts, other.finding(), Optional.empty())
                .ifPresent(small::add));
        small.add(site.url
                .map(url -> texts.say("closing", "url", Plain.line(url.toString(), 200)))
                .orElseGet(() -> texts.say("closing.bare", "site", siteName)));
        return small;
    }

    /** Says for which GPUs the way from Slurm's number to the device is doubtful. */
    private static String doubtful(Texts texts, List<GpuUse> all) {
        List<String> doubtful = all.stream()
                .flatMap(use -> use.allocated().stream())
                .filter(gpu -> switch (gpu.confidence()) {
                    case UNKNOWN, ASSUMED, CONTRADICTED -> true;
                    case CERTAIN, CONFIRMED -> false;
                })
                .limit(MOST_GPUS)
                .map(gpu -> texts.say(
                        "measured.doubtful.one",
                        "gpu",
                        Integer.toString(gpu.gresIndex()),
                        "node",
                        Plain.line(gpu.node(), 64)))
                .toList();
        return doubtful.isEmpty() ? "" : " " + texts.say("measured.doubtful", "gpus", String.join(", ", doubtful));
    }

    /** The plain numbers of the evidence; nothing if there are none. */
    private static Optional<String> numbers(Texts texts, FindingRow finding, Optional<String> job) {
        List<String> numbers = new ArrayList<>();
        try {
            JSON.readTree(finding.evidence()).properties().forEach(field -> {
                if (field.getValue().isValueNode() && !field.getValue().isBoolean() && numbers.size() < MOST_NUMBERS) {
                    numbers.add(Plain.line(field.getKey(), 40) + " = " + Plain.line(number(field.getValue()), 40));
                }
            });
        } catch (JsonProcessingException expected) {
            // a letter without these numbers is still right
            return Optional.empty();
        }
        return numbers.isEmpty()
                ? Optional.empty()
                : Optional.of(texts.say(
                        "rule",
                        "rule",
                        Plain.line(finding.rule(), 60)
                                + job.map(id -> " (" + id + ")").orElse(""),
                        "numbers",
                        String.join(", ", numbers)));
    }

    private static String number(JsonNode value) {
        return value.isFloatingPointNumber()
                ? BigDecimal.valueOf(value.doubleValue())
                        .setScale(3, RoundingMode.HALF_UP)
                        .stripTrailingZeros()
                        .toPlainString()
                : value.asText();
    }
}
