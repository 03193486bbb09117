package io.fairwatch.collector.notice;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.notice.LetterWriter.Audience;
import io.fairwatch.collector.notice.LetterWriter.Block;
import io.fairwatch.collector.notice.LetterWriter.Command;
import io.fairwatch.collector.notice.LetterWriter.Gpu;
import io.fairwatch.collector.notice.LetterWriter.Line;
import io.fairwatch.collector.notice.LetterWriter.Link;
import io.fairwatch.collector.notice.LetterWriter.News;
import io.fairwatch.collector.notice.LetterWriter.Order;
import io.fairwatch.collector.notice.Matter.Measured;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.Subject;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.JobUse;
import io.fairwatch.collector.text.Plain;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/** What a letter says of each thing that it is about. Immutable. */
final class LetterBlocks {
    private static final int MOST_NODES = 6;

    private final Texts texts;
    private final Order order;

    LetterBlocks(Texts texts, Order order) {
        this.texts = texts;
        this.order = order;
    }

    /** Of a run. */
    Block of(Matter matter, int number, boolean withStrips) {
        Run run = matter.run();
        String job = job(run);
        boolean done = order.news().isPresent();
        boolean owner = order.audience() == Audience.OWNER;
        List<String> found = new ArrayList<>();
        List<String> fix = new ArrayList<>();
        for (FindingRow finding : matter.findings()) {
            found.addAll(Plain.lines(finding.said(texts.language()).summary(), 500));
            if (owner && !done) {
                if (!fix.isEmpty()) {
                    fix.add("");
                }
                fix.addAll(withoutRepeated(
                        Plain.lines(finding.said(texts.language()).fix(), 500), fix));
            }
        }
        List<Gpu> gpus = matter.use().stream()
                .map(use -> gpu(matter, use, order.now(), withStrips))
                .sorted(Comparator.comparing(Gpu::idleFor).reversed())
                .limit(LetterWriter.MOST_GPUS)
                .sorted(Comparator.comparing(Gpu::node)
                        .thenComparing(gpu -> gpu.number().length())
                        .thenComparing(Gpu::number))
                .toList();
        int leftOut = matter.use().size() - gpus.size();
        boolean strips = gpus.stream().anyMatch(gpu -> gpu.strip().isPresent());
        boolean running = run.end().isEmpty();
        String scancel = "scancel " + job;
        return new Block(
                number == 0
                        ? Optional.empty()
                        : Optional.of(number + ". " + texts.say("page.title", "job", job) + name(run)),
                found,
                texts.say(owner ? "job" : "job.of"),
                jobLines(matter),
                gpusTitle(matter, order.now()),
                gpus,
                leftOut > 0
                        ? Optional.of(texts.say("gpus.more", "count", Integer.toString(leftOut)))
                        : Optional.empty(),
                strips ? Optional.of(stripText("strip.title", matter, order.now())) : Optional.empty(),
                strips ? Optional.of(stripText("strip.legend.colours", matter, order.now())) : Optional.empty(),
                held(matter),
                owner && !done ? Optional.of(texts.say("do")) : Optional.empty(),
                fix,
                command(running && !String.join("\n", fix).contains("scancel "), scancel),
                owner && !done ? next(matter.course()) : List.of(),
                owner && !done ? answer(matter.course(), "do.answer.link") : Optional.empty());
    }

    private Optional<Link> answer(Matter.Course course, String label) {
        return course.answer()
                .map(answer -> new Link(
                        texts.say("do.answer", "until", texts.full(answer.until())),
                        texts.say(label),
                        answer.link().toString()));
    }

    private Optional<Command> command(boolean wanted, String scancel) {
        if (order.news().isPresent()) {
            return order.news().get() instanceof News.Proposed proposed
                    ? Optional.of(new Command(texts.say("do.proposed"), Plain.line(proposed.command(), 200)))
                    : Optional.empty();
        }
        return wanted
                ? Optional.of(
                        new Command(texts.say(order.audience() == Audience.OWNER ? "do.end" : "do.staff"), scancel))
                : Optional.empty();
    }

    /** What will be done, each deed once. */
    private List<String> next(Matter.Course course) {
        return course.next().stream()
                .map(next -> texts.say("next." + next.deed(), "when", texts.full(next.notBefore())))
                .toList();
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

    private List<Line> jobLines(Matter matter) {
        Run run = matter.run();
        List<Line> lines = new ArrayList<>();
        lines.add(new Line(texts.say("job.number"), job(run) + name(run)));
        if (order.audience() != Audience.OWNER) {
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
                nodes(run.allocation().nodes())));
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
                            texts.length(Duration.between(run.key().start(), order.now())))));
            run.timeLimit().ifPresent(limit -> {
                Instant end = run.key().start().plus(limit).plus(run.suspended());
                lines.add(new Line(
                        texts.say("job.limit"),
                        texts.say("job.limit.text", "limit", texts.length(limit), "end", texts.full(end))));
            });
        }
        energy(matter).ifPresent(text -> lines.add(new Line(texts.say("job.energy"), text)));
        rest(matter).ifPresent(text -> lines.add(new Line(texts.say("job.rest"), text)));
        if (order.audience() != Audience.OWNER) {
            matter.findings().stream()
                    .flatMap(finding -> finding.toldAt().stream())
                    .max(Comparator.naturalOrder())
                    .ifPresent(at -> lines.add(new Line(texts.say("job.told"), texts.full(at))));
        }
        return lines;
    }

    private String nodes(List<String> nodes) {
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
    private Optional<String> energy(Matter matter) {
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
    private Optional<String> rest(Matter matter) {
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

    private String gpusTitle(Matter matter, Instant now) {
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

    private String stripText(String key, Matter matter, Instant now) {
        GpuUse first = matter.use().get(0);
        return texts.say(key, "from", texts.brief(first.from(), now), "to", texts.brief(first.to(), now));
    }

    private Gpu gpu(Matter matter, GpuUse use, Instant now, boolean withStrips) {
        GpuUse.Share own = use.own();
        return new Gpu(
                Plain.line(use.node(), 64),
                use.allocated().map(gpu -> Integer.toString(gpu.gresIndex())).orElse(""),
                use.device()
                        .map(device -> model(device.name()))
                        .or(() -> use.allocated().flatMap(AllocatedGpu::type).map(type -> Plain.line(type, 30)))
                        .orElse(""),
                own.utilizationMeanRatio(),
                percent(own.utilizationMeanRatio()) + estimate(own.utilizationEstimated()),
                // at its busiest another may have been on it
                use.share().isPresent() ? "" : percent(use.utilizationMaxRatio()),
                memory(
                                own.memoryUsedMaxBytes(),
                                use.device().map(GpuDevice::memoryTotalBytes).orElse(OptionalLong.empty()))
                        + estimate(own.memoryEstimated()),
                use.processesMax().isPresent()
                        ? Integer.toString(use.processesMax().getAsInt())
                        : "",
                idleSince(use, now),
                Measured.idleFor(use),
                withStrips
                        ? use.device().map(device -> matter.strips().get(new Matter.Gpu(use.node(), device.uuid())))
                        : Optional.empty());
    }

    private String estimate(boolean is) {
        return is ? " " + texts.say("gpu.estimate") : "";
    }

    private static String model(String name) {
        return Plain.line(name.replaceFirst("^(NVIDIA |Tesla )+", ""), 30);
    }

    private static String percent(OptionalDouble ratio) {
        return ratio.isPresent() ? Plain.percent(ratio.getAsDouble()) : "";
    }

    private String memory(OptionalLong used, OptionalLong total) {
        if (used.isEmpty()) {
            return "";
        }
        String text = gibibytes(used.getAsLong());
        return total.isPresent() ? text + " / " + gibibytes(total.getAsLong()) + " GiB" : text + " GiB";
    }

    private String gibibytes(long bytes) {
        // rounded as everywhere: 31.7 GiB of a card that has 31.748
        return texts.number(Math.round(bytes * 10 / (double) (1L << 30)) / 10.0 + 1e-9, 1);
    }

    private String idleSince(GpuUse use, Instant now) {
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
    private Optional<String> held(Matter matter) {
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

    /** Of something that is no run. */
    Block of(Matter.Other about, int number) {
        FindingRow other = about.finding();
        boolean owner = order.audience() == Audience.OWNER;
        List<String> fix = owner && order.news().isEmpty()
                ? Plain.lines(other.said(texts.language()).fix(), 500)
                : List.of();
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
                Plain.lines(other.said(texts.language()).summary(), 500),
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
                command(false, ""),
                owner ? next(about.course()) : List.of(),
                owner && order.news().isEmpty()
                        ? answer(
                                about.course(),
                                other.subject() instanceof Subject.Waiting ? "do.answer.link" : "do.answer.link.you")
                        : Optional.empty());
    }

    static String job(Run run) {
        return Plain.line(run.displayId(), 40);
    }
}
