package io.fairwatch.collector.notice;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.notice.Matter.Measured;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.JobUse;
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
import java.util.OptionalLong;

/**
 * Writes one letter to one person about one or several runs, as text and as HTML from the same facts. Thread-safe.
 *
 * <p>What was not measured is called unknown and counts for nothing. Times are exact to the minute and never rounded up.
 */
public final class LetterWriter {
    /** Runs that a letter shows; the rest is a number. */
    static final int MOST_MATTERS = 10;

    private static final int MOST_GPUS = 16;
    private static final int MOST_STRIPS = 24;
    private static final int MOST_NODES = 6;
    private static final int MOST_NUMBERS = 8;
    private static final int MOST_IN_SUBJECT = 3;
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
     * @param matters runs that it is about
     * @param others what else it is about: waiting jobs, nodes, users; with runs at least one
     * @param news what else there is to be said than that something was found; absent: nothing
     * @param simulated said at the top when GPUs are not real; absent: they are
     * @param now when it is written
     */
    public record Order(
            Audience audience,
            Person person,
            String called,
            List<Matter> matters,
            List<FindingRow> others,
            Optional<News> news,
            Optional<String> simulated,
            Instant now) {
        public Order {
            matters = List.copyOf(matters);
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
            Optional<String> next,
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
        List<Matter> matters = order.matters.stream()
                .sorted(Comparator.comparing(Matter::waste).reversed())
                .toList();
        List<Matter> shown = matters.stream().limit(MOST_MATTERS).toList();
        List<Block> blocks = new ArrayList<>();
        int strips = 0;
        for (Matter matter : shown) {
            Block block = block(
                    texts,
                    order,
                    matter,
                    matters.size() + order.others.size() > 1 ? blocks.size() + 1 : 0,
                    strips < MOST_STRIPS);
            strips += (int)
                    block.gpus.stream().filter(gpu -> gpu.strip.isPresent()).count();
            blocks.add(block);
        }
        boolean numbered = matters.size() + order.others.size() > 1;
        for (FindingRow other : order.others.stream().limit(MOST_MATTERS).toList()) {
            blocks.add(block(texts, order, other, numbered ? blocks.size() + 1 : 0));
        }
        int left = matters.size() - shown.size() + Math.max(0, order.others.size() - MOST_MATTERS);
        return new Facts(
                texts,
                subject(texts, siteName, order, matters),
                order.simulated.map(sentence -> Plain.line(sentence, 300)),
                texts.say("greeting", "name", Plain.line(order.person.name().orElse(firstPart(order.called)), 60)),
                opening(texts, siteName, order, matters),
                blocks,
                left > 0 ? Optional.of(texts.say("more.jobs", "count", Integer.toString(left))) : Optional.empty(),
                switch (order.audience) {
                    case OWNER -> texts.say("help", "support", site.support);
                    case COORDINATOR -> texts.say("help.coordinator", "support", site.support);
                    case STAFF -> texts.say("help.staff");
                },
                small(texts, siteName, shown, order.others));
    }

    /** What is said of something that is no run. */
    private static Block block(Texts texts, Order order, FindingRow other, int number) {
        boolean owner = order.audience == Audience.OWNER;
        List<String> fix = owner ? Plain.lines(other.fix(), 500) : List.of();
        List<Line> lines = new ArrayList<>();
        String title;
        if (other.subject() instanceof Subject.Waiting job) {
            title = texts.say("other.waiting", "job", Long.toString(job.jobId()));
            lines.add(new Line(texts.say("job.number"), Long.toString(job.jobId())));
        } else if (other.subject() instanceof Subject.OnNode node) {
            title = texts.say("other.node", "node", Plain.line(node.node(), 64));
            lines.add(new Line(texts.say("job.node"), Plain.line(node.node(), 64)));
        } else {
            title = texts.say(owner ? "other.you" : "other.user", "user", Plain.line(other.user(), 80));
        }
        if (!owner && !other.user().isEmpty()) {
            lines.add(new Line(texts.say("job.user"), Plain.line(other.user(), 80)));
        }
        if (!owner) {
            other.toldAt().ifPresent(at -> lines.add(new Line(texts.say("job.told"), texts.full(at))));
        }
        return new Block(
                number == 0 ? Optional.empty() : Optional.of(number + ". " + title),
                Plain.lines(other.summary(), 500),
                title,
                lines,
                "",
                List.of(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                fix.isEmpty() ? Optional.empty() : Optional.of(texts.say("do")),
                fix,
                Optional.empty(),
                Optional.empty(),
                Optional.empty());
    }

    private List<String> opening(Texts texts, String siteName, Order order, List<Matter> matters) {
        if (matters.isEmpty()) {
            return List.of(texts.say(
                    order.audience == Audience.OWNER ? "opening.other" : "opening.other.staff", "site", siteName));
        }
        Matter first = matters.get(0);
        String job = job(first.run());
        String user = Plain.line(first.run().owner().user(), 80);
        String account = Plain.line(first.run().owner().account(), 80);
        if (order.news.isPresent() && order.news.get() instanceof News.Done done) {
            return List.of(texts.say(
                    order.audience == Audience.OWNER ? "opening.done.owner" : "opening.done.staff",
                    "job",
                    job,
                    "site",
                    siteName,
                    "user",
                    user,
                    "deed",
                    texts.say("deed." + done.deed),
                    "when",
                    texts.full(done.at)));
        }
        if (order.news.isPresent() && order.news.get() instanceof News.Proposed) {
            return List.of(texts.say(
                    "opening.proposed",
                    "job",
                    job,
                    "user",
                    user,
                    "site",
                    siteName,
                    "when",
                    texts.full(first.findings().get(0).toldAt().orElse(order.now))));
        }
        if (order.news.isPresent() && order.news.get() instanceof News.Unreachable unreachable) {
            return List.of(
                    texts.say("opening.unreachable", "user", user, "job", job, "site", siteName),
                    Plain.line(unreachable.why, 300));
        }
        if (order.news.isPresent() && order.news.get() instanceof News.Answered answered) {
            return List.of(
                    texts.say("opening.answered", "user", user, "job", job, "site", siteName),
                    texts.say("answer.was", "answer", Plain.line(answered.answer, 500)));
        }
        List<String> opening = new ArrayList<>();
        opening.add(
                switch (order.audience) {
                    case OWNER ->
                        matters.size() == 1
                                ? texts.say("opening.one", "job", job, "site", siteName)
                                : texts.say(
                                        "opening.many", "count", Integer.toString(matters.size()), "site", siteName);
                    case COORDINATOR -> texts.say("opening.coordinator", "site", siteName, "account", account);
                    case STAFF -> texts.say("opening.staff", "site", siteName);
                });
        if (order.audience == Audience.OWNER && matters.size() == 1) {
            first.course().toldAt().ifPresent(at -> opening.add(texts.say("opening.again", "when", texts.full(at))));
        }
        return opening;
    }

    private String subject(Texts texts, String siteName, Order order, List<Matter> matters) {
        if (matters.isEmpty()) {
            return texts.say(
                    order.audience == Audience.OWNER ? "subject.other" : "subject.other.staff",
                    "site",
                    siteName,
                    "sentence",
                    sentence(order.others.get(0)));
        }
        Matter first = matters.get(0);
        String user = Plain.line(first.run().owner().user(), 60);
        String sentence = sentence(first.findings().get(0));
        if (order.news.isPresent() && order.news.get() instanceof News.Done done) {
            return texts.say(
                    order.audience == Audience.OWNER ? "subject.done.owner" : "subject.done.staff",
                    "site",
                    siteName,
                    "job",
                    job(first.run()),
                    "user",
                    user,
                    "deed",
                    texts.say("deed." + done.deed));
        }
        if (order.news.isPresent() && order.news.get() instanceof News.Proposed) {
            return texts.say(
                    "subject.proposed", "site", siteName, "job", job(first.run()), "user", user, "sentence", sentence);
        }
        if (order.news.isPresent() && order.news.get() instanceof News.Unreachable) {
            return texts.say("subject.unreachable", "site", siteName, "user", user, "job", job(first.run()));
        }
        if (order.news.isPresent()) {
            return texts.say("subject.answered", "site", siteName, "user", user, "job", job(first.run()));
        }
        List<String> jobs = matters.stream().map(matter -> job(matter.run())).toList();
        return switch (order.audience) {
            case OWNER ->
                jobs.size() == 1
                        ? texts.say("subject.one", "site", siteName, "job", jobs.get(0), "sentence", sentence)
                        : texts.say(
                                "subject.many", "site", siteName, "jobs", listed(texts, jobs), "sentence", sentence);
            case COORDINATOR ->
                texts.say(
                        "subject.coordinator",
                        "site",
                        siteName,
                        "count",
                        Integer.toString(jobs.size()),
                        "account",
                        Plain.line(first.run().owner().account(), 60),
                        "sentence",
                        sentence);
            case STAFF ->
                texts.say(
                        "subject.staff",
                        "site",
                        siteName,
                        "users",
                        listed(
                                texts,
                                matters.stream()
                                        .map(matter ->
                                                Plain.line(matter.run().owner().user(), 40))
                                        .distinct()
                                        .toList()),
                        "sentence",
                        sentence);
        };
    }

    private static String listed(Texts texts, List<String> names) {
        String first = String.join(", ", names.stream().limit(MOST_IN_SUBJECT).toList());
        return names.size() <= MOST_IN_SUBJECT
                ? first
                : texts.say("subject.more", "jobs", first, "count", Integer.toString(names.size() - MOST_IN_SUBJECT));
    }

    /** The first sentence of the summary. */
    private static String sentence(FindingRow finding) {
        String first = finding.summary().strip().split("(?<=\\.)\\s", 2)[0];
        return Plain.line(first.replaceFirst("\\.$", ""), 90);
    }

    private static String job(Run run) {
        return Plain.line(run.displayId(), 40);
    }

    /** {@code tlj} of {@code tlj@its.aau.dk}. */
    private static String firstPart(String user) {
        int at = user.indexOf('@');
        return at > 0 ? user.substring(0, at) : user;
    }

    private Block block(Texts texts, Order order, Matter matter, int number, boolean withStrips) {
        Run run = matter.run();
        String job = job(run);
        boolean done = order.news.isPresent();
        boolean owner = order.audience == Audience.OWNER;
        List<String> found = new ArrayList<>();
        List<String> fix = new ArrayList<>();
        for (FindingRow finding : matter.findings()) {
            found.addAll(Plain.lines(finding.summary(), 500));
            if (owner && !done) {
                if (!fix.isEmpty()) {
                    fix.add("");
                }
                fix.addAll(withoutRepeated(Plain.lines(finding.fix(), 500), fix));
            }
        }
        List<Gpu> gpus = matter.use().stream()
                .map(use -> gpu(texts, matter, use, order.now, withStrips))
                .sorted(Comparator.comparing(Gpu::idleFor).reversed())
                .limit(MOST_GPUS)
                .sorted(Comparator.comparing(Gpu::node)
                        .thenComparing(gpu -> gpu.number.length())
                        .thenComparing(Gpu::number))
                .toList();
        int leftOut = matter.use().size() - gpus.size();
        boolean strips = gpus.stream().anyMatch(gpu -> gpu.strip.isPresent());
        boolean running = run.end().isEmpty();
        String scancel = "scancel " + job;
        return new Block(
                number == 0
                        ? Optional.empty()
                        : Optional.of(number + ". " + texts.say("page.title", "job", job) + name(run)),
                found,
                texts.say(owner ? "job" : "job.of"),
                jobLines(texts, order, matter),
                gpusTitle(texts, matter, order.now),
                gpus,
                leftOut > 0
                        ? Optional.of(texts.say("gpus.more", "count", Integer.toString(leftOut)))
                        : Optional.empty(),
                strips ? Optional.of(stripText(texts, "strip.title", matter, order.now)) : Optional.empty(),
                strips ? Optional.of(stripText(texts, "strip.legend.colours", matter, order.now)) : Optional.empty(),
                held(texts, matter),
                owner && !done ? Optional.of(texts.say("do")) : Optional.empty(),
                fix,
                command(texts, order, running && !String.join("\n", fix).contains("scancel "), scancel),
                owner && !done
                        ? matter.course()
                                .next()
                                .map(next -> texts.say("next." + next.deed(), "when", texts.full(next.notBefore())))
                        : Optional.empty(),
                owner && !done
                        ? matter.course()
                                .answer()
                                .map(answer -> new Link(
                                        texts.say("do.answer", "until", texts.full(answer.until())),
                                        texts.say("do.answer.link"),
                                        answer.link().toString()))
                        : Optional.empty());
    }

    private static Optional<Command> command(Texts texts, Order order, boolean wanted, String scancel) {
        if (order.news.isPresent()) {
            return order.news.get() instanceof News.Proposed proposed
                    ? Optional.of(new Command(texts.say("do.proposed"), Plain.line(proposed.command, 200)))
                    : Optional.empty();
        }
        return wanted
                ? Optional.of(new Command(texts.say(order.audience == Audience.OWNER ? "do.end" : "do.staff"), scancel))
                : Optional.empty();
    }

    /** Two rules may give the same advice; it is read once. */
    private static List<String> withoutRepeated(List<String> lines, List<String> before) {
        return lines.stream()
                .filter(line -> line.isBlank() || !before.contains(line))
                .toList();
    }

    private static String name(Run run) {
        String name = Plain.line(run.name(), 60);
        return name.isEmpty() ? "" : "  (" + name + ")";
    }

    private List<Line> jobLines(Texts texts, Order order, Matter matter) {
        Run run = matter.run();
        List<Line> lines = new ArrayList<>();
        lines.add(new Line(texts.say("job.number"), job(run) + name(run)));
        if (order.audience != Audience.OWNER) {
            lines.add(new Line(texts.say("job.user"), Plain.line(run.owner().user(), 80)));
            lines.add(new Line(texts.say("job.account"), Plain.line(run.owner().account(), 80)));
        }
        String partition = Plain.line(run.owner().partition(), 40);
        lines.add(new Line(
                texts.say("job.partition"),
                run.owner().qos().isEmpty()
                        ? partition
                        : texts.say(
                                "job.qos",
                                "partition",
                                partition,
                                "qos",
                                Plain.line(run.owner().qos(), 40))));
        lines.add(new Line(
                texts.say(run.allocation().nodes().size() == 1 ? "job.node" : "job.nodes"),
                nodes(texts, run.allocation().nodes())));
        if (run.end().isPresent()) {
            lines.add(new Line(
                    texts.say("job.ran"),
                    texts.say(
                            "job.ran.text",
                            "start",
                            texts.full(run.key().start()),
                            "end",
                            texts.full(run.end().get()))));
        } else {
            lines.add(new Line(
                    texts.say("job.running"),
                    texts.say(
                            "job.running.text",
                            "start",
                            texts.full(run.key().start()),
                            "time",
                            texts.length(Duration.between(run.key().start(), order.now)))));
            run.timeLimit().ifPresent(limit -> {
                Instant end = run.key().start().plus(limit).plus(run.suspended());
                lines.add(new Line(
                        texts.say("job.limit"),
                        texts.say("job.limit.text", "limit", texts.length(limit), "end", texts.full(end))));
            });
        }
        energy(texts, matter).ifPresent(text -> lines.add(new Line(texts.say("job.energy"), text)));
        rest(texts, matter).ifPresent(text -> lines.add(new Line(texts.say("job.rest"), text)));
        if (order.audience != Audience.OWNER) {
            matter.findings().stream()
                    .flatMap(finding -> finding.toldAt().stream())
                    .max(Comparator.naturalOrder())
                    .ifPresent(at -> lines.add(new Line(texts.say("job.told"), texts.full(at))));
        }
        return lines;
    }

    private static String nodes(Texts texts, List<String> nodes) {
        String first = String.join(
                ", ",
                nodes.stream()
                        .limit(MOST_NODES)
                        .map(node -> Plain.line(node, 64))
                        .toList());
        return nodes.size() <= MOST_NODES
                ? first
                : texts.say("job.nodes.more", "nodes", first, "count", Integer.toString(nodes.size() - MOST_NODES));
    }

    /** What its GPUs took since it began. */
    private static Optional<String> energy(Texts texts, Matter matter) {
        double joules = 0;
        boolean all = true;
        boolean any = false;
        for (GpuUse use : matter.whole()) {
            if (use.allocated().isPresent()) {
                any |= use.energyJoules().isPresent();
                all &= use.energyJoules().isPresent() && use.coverage() > 0.99;
                joules += use.energyJoules().orElse(0);
            }
        }
        double kwh = joules / 3.6e6;
        return any && kwh >= 0.01
                ? Optional.of(texts.say(all ? "job.energy.text" : "job.energy.least", "kwh", texts.number(kwh, 2)))
                : Optional.empty();
    }

    /** What else it did: CPU and memory. */
    private static Optional<String> rest(Texts texts, Matter matter) {
        if (matter.job().isEmpty()) {
            return Optional.empty();
        }
        JobUse job = matter.job().get();
        Run run = matter.run();
        List<String> parts = new ArrayList<>();
        double seconds = matter.whole().stream()
                .mapToDouble(use -> Duration.between(use.from(), use.to()).toMillis() / 1000.0)
                .max()
                .orElse(0);
        if (job.cpuSeconds().isPresent()
                && run.allocation().cpus().isPresent()
                && seconds > 0
                && job.nodesSeen() == run.allocation().nodes().size()) {
            parts.add(texts.say(
                    "job.rest.cpu",
                    "cores",
                    texts.number(job.cpuSeconds().getAsDouble() / seconds, 1),
                    "cpus",
                    Integer.toString(run.allocation().cpus().getAsInt())));
        }
        if (job.memoryUsedMaxBytes().isPresent()) {
            String used = texts.bytes(job.memoryUsedMaxBytes().getAsLong());
            parts.add(
                    run.allocation().memoryBytes().isPresent()
                            ? texts.say(
                                    "job.rest.memory",
                                    "used",
                                    used,
                                    "given",
                                    texts.bytes(run.allocation().memoryBytes().getAsLong()))
                            : texts.say("job.rest.memory.bare", "used", used));
        }
        return parts.isEmpty() ? Optional.empty() : Optional.of(String.join(", ", parts));
    }

    private static String gpusTitle(Texts texts, Matter matter, Instant now) {
        if (matter.use().isEmpty()) {
            return texts.say("gpus.unknown");
        }
        GpuUse first = matter.use().get(0);
        return texts.say(
                "gpus.title",
                "from",
                texts.brief(first.from(), now),
                "to",
                texts.brief(first.to(), now) + " " + texts.zoneOf(first.to()));
    }

    private static String stripText(Texts texts, String key, Matter matter, Instant now) {
        GpuUse first = matter.use().get(0);
        return texts.say(key, "from", texts.brief(first.from(), now), "to", texts.brief(first.to(), now));
    }

    private static Gpu gpu(Texts texts, Matter matter, GpuUse use, Instant now, boolean withStrips) {
        return new Gpu(
                Plain.line(use.node(), 64),
                use.allocated().map(gpu -> Integer.toString(gpu.gresIndex())).orElse(""),
                use.device()
                        .map(device -> model(device.name()))
                        .or(() -> use.allocated().flatMap(AllocatedGpu::type).map(type -> Plain.line(type, 30)))
                        .orElse(""),
                use.utilizationMeanRatio(),
                percent(use.utilizationMeanRatio()),
                percent(use.utilizationMaxRatio()),
                memory(
                        texts,
                        use.memoryUsedMaxBytes(),
                        use.device().map(GpuDevice::memoryTotalBytes).orElse(OptionalLong.empty())),
                use.processesMax().isPresent()
                        ? Integer.toString(use.processesMax().getAsInt())
                        : "",
                idleSince(texts, use, now),
                Measured.idleFor(use),
                withStrips
                        ? use.device().map(device -> matter.strips().get(new Matter.Gpu(use.node(), device.uuid())))
                        : Optional.empty());
    }

    private static String model(String name) {
        return Plain.line(name.replaceFirst("^(NVIDIA |Tesla )+", ""), 30);
    }

    private static String percent(OptionalDouble ratio) {
        return ratio.isPresent() ? Plain.percent(ratio.getAsDouble()) : "";
    }

    private static String memory(Texts texts, OptionalLong used, OptionalLong total) {
        if (used.isEmpty()) {
            return "";
        }
        String text = gibibytes(texts, used.getAsLong());
        return total.isPresent() ? text + " / " + gibibytes(texts, total.getAsLong()) + " GiB" : text + " GiB";
    }

    private static String gibibytes(Texts texts, long bytes) {
        // rounded as everywhere: 31.7 GiB of a card that has 31.748
        return texts.number(Math.round(bytes * 10 / (double) (1L << 30)) / 10.0 + 1e-9, 1);
    }

    private static String idleSince(Texts texts, GpuUse use, Instant now) {
        if (!Measured.atAll(use)) {
            return "";
        }
        if (use.lastBusyAt().isPresent()) {
            return Measured.isInUse(use)
                    ? texts.say("gpu.in_use")
                    : texts.brief(use.lastBusyAt().get(), now);
        }
        boolean wholeRun = !use.from().isAfter(use.run().start());
        return wholeRun
                ? texts.say("gpu.idle.start")
                : texts.say("gpu.idle.before", "when", texts.brief(use.from(), now));
    }

    /** GPU-hours that the run held and did not use; only GPUs that Slurm gave it and that were measured count. */
    private static Optional<String> held(Texts texts, Matter matter) {
        boolean more = matter.use().stream()
                .anyMatch(use -> use.allocated().isPresent()
                        && Measured.atAll(use)
                        && use.lastBusyAt().isEmpty()
                        && use.from().isAfter(use.run().start()));
        double hours = matter.waste().toMinutes() / 60.0;
        return hours < 0.1
                ? Optional.empty()
                : Optional.of(texts.say(more ? "held.least" : "held", "hours", texts.number(hours, 1)));
    }

    private List<String> small(Texts texts, String siteName, List<Matter> matters, List<FindingRow> others) {
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
                numbers(texts, finding, matters.size() > 1 ? Optional.of(job(matter.run())) : Optional.empty())
                        .ifPresent(small::add);
            }
        }
        others.stream().limit(MOST_MATTERS).forEach(other -> numbers(texts, other, Optional.empty())
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
