package io.fairwatch.collector.lookup;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.lookup.HoldLookup.Held;
import io.fairwatch.collector.lookup.HoldLookup.HeldGpu;
import io.fairwatch.collector.lookup.HoldLookup.Holdings;
import io.fairwatch.collector.lookup.HoldLookup.IdleGpu;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.run.PendingJob;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.text.Csv;
import io.fairwatch.collector.text.Plain;
import io.fairwatch.collector.text.Table;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.TreeMap;

/** Renders what is held, as text and CSV. Immutable. */
public final class HoldText {
    private static final int LONGEST_NAME = 40;

    // ---- jobs

    /** Running jobs, then waiting ones. */
    public String jobs(Holdings holdings) {
        StringBuilder page = heading(holdings);
        if (holdings.running().isEmpty() && holdings.pending().isEmpty()) {
            return page.append("No job runs or waits.\n").toString();
        }
        if (!holdings.running().isEmpty()) {
            List<String[]> rows = new ArrayList<>();
            rows.add(new String[] {"job", "user", "partition", "where", "held", "GPUs", "idle", "busy now"});
            for (Held held : holdings.running()) {
                Run run = held.run();
                rows.add(new String[] {
                    run.displayId(),
                    name(run.owner().user()),
                    name(run.owner().partition()),
                    where(run.allocation().nodes()),
                    Plain.duration(Duration.between(run.key().start(), holdings.at())),
                    gpuCount(held),
                    held.idleGpus() == 0 ? "-" : Integer.toString(held.idleGpus()),
                    Plain.percent(busy(held))
                });
            }
            page.append(Table.render(rows));
        }
        if (!holdings.pending().isEmpty()) {
            List<String[]> rows = new ArrayList<>();
            rows.add(new String[] {"waiting", "user", "partition", "waits", "reason", "asks for"});
            for (PendingJob job : holdings.pending()) {
                rows.add(new String[] {
                    Plain.line(job.displayId(), LONGEST_NAME),
                    name(job.owner().user()),
                    name(job.owner().partition()),
                    Plain.duration(Duration.between(job.submit(), holdings.at())),
                    Plain.line(job.reason(), LONGEST_NAME),
                    Plain.line(job.request(), 60)
                });
            }
            page.append(page.isEmpty() ? "" : "\n").append(Table.render(rows));
        }
        return page.append(source(holdings)).toString();
    }

    /** Running jobs, a line for each. */
    public String jobsCsv(Holdings holdings) {
        Csv csv = new Csv(
                "job",
                "user",
                "account",
                "partition",
                "qos",
                "nodes",
                "start",
                "cpus",
                "gpus",
                "idle_gpus",
                "busy_ratio");
        for (Held held : holdings.running()) {
            Run run = held.run();
            csv.row(
                    run.displayId(),
                    run.owner().user(),
                    run.owner().account(),
                    run.owner().partition(),
                    run.owner().qos(),
                    String.join(" ", run.allocation().nodes()),
                    run.key().start().toString(),
                    run.allocation().cpus().isPresent()
                            ? Integer.toString(run.allocation().cpus().getAsInt())
                            : "",
                    run.allocation().gpus().isPresent()
                            ? Integer.toString(run.allocation().gpus().getAsInt())
                            : "",
                    Integer.toString(held.idleGpus()),
                    ratio(busy(held)));
        }
        return csv.toString();
    }

    /** {@code 2}, {@code ?} where Slurm knows none, {@code 1 used} where only processes tell. */
    private static String gpuCount(Held held) {
        int given = held.run().allocation().gpus().orElse(0);
        long used =
                held.gpus().stream().filter(gpu -> gpu.allocated().isEmpty()).count();
        return given > 0 ? Integer.toString(given) : used > 0 ? used + " used" : "-";
    }

    private static OptionalDouble busy(Held held) {
        return held.gpus().stream()
                .map(HeldGpu::busyRatio)
                .filter(OptionalDouble::isPresent)
                .mapToDouble(OptionalDouble::getAsDouble)
                .average();
    }

    // ---- idle GPUs

    /** Who holds idle GPUs, since when; the longest first. */
    public String idle(Holdings holdings, List<IdleGpu> idle) {
        StringBuilder page = heading(holdings);
        long held = holdings.running().stream()
                .flatMap(run -> run.gpus().stream())
                .filter(gpu -> gpu.allocated().isPresent())
                .count();
        if (idle.isEmpty()) {
            page.append("None of the ")
                    .append(held)
                    .append(" GPUs that jobs hold was idle for ")
                    .append(Plain.duration(HoldLookup.LATELY))
                    .append(", as far as was seen.\n");
            return page.append(source(holdings)).toString();
        }
        page.append(idle.size())
                .append(" of ")
                .append(held)
                .append(" held GPUs idle for ")
                .append(Plain.duration(HoldLookup.LATELY))
                .append(" or longer, ")
                .append(String.format(Locale.ROOT, "%.0f", hours(holdings, idle)))
                .append(" GPU-hours so far.\n\n");
        List<String[]> rows = new ArrayList<>();
        rows.add(new String[] {"GPU", "job", "user", "partition", "idle for", "held for", "owner told"});
        for (IdleGpu gpu : idle) {
            rows.add(new String[] {
                gpuName(gpu.gpu()),
                gpu.run().displayId(),
                name(gpu.run().owner().user()),
                name(gpu.run().owner().partition()),
                (gpu.gpu().idleLonger() ? "over " : "") + Plain.duration(since(holdings, gpu)),
                Plain.duration(Duration.between(gpu.run().key().start(), holdings.at())),
                gpu.told()
                        .map(at -> Plain.duration(Duration.between(at, holdings.at())) + " ago")
                        .orElse("-")
            });
        }
        return page.append(Table.render(rows)).append(source(holdings)).toString();
    }

    /** A line for each idle GPU. */
    public String idleCsv(List<IdleGpu> idle) {
        Csv csv = new Csv(
                "node", "gres_index", "uuid", "model", "job", "user", "account", "partition", "idle_since", "told_at");
        for (IdleGpu gpu : idle) {
            csv.row(
                    gpu.gpu().node(),
                    gpu.gpu()
                            .allocated()
                            .map(a -> Integer.toString(a.gresIndex()))
                            .orElse(""),
                    gpu.gpu().device().map(GpuDevice::uuid).orElse(""),
                    gpu.gpu().device().map(GpuDevice::name).orElse(""),
                    gpu.run().displayId(),
                    gpu.run().owner().user(),
                    gpu.run().owner().account(),
                    gpu.run().owner().partition(),
                    gpu.gpu().idleSince().map(Instant::toString).orElse(""),
                    gpu.told().map(Instant::toString).orElse(""));
        }
        return csv.toString();
    }

    private static double hours(Holdings holdings, List<IdleGpu> idle) {
        return idle.stream()
                .mapToDouble(gpu -> since(holdings, gpu).toSeconds() / 3600.0)
                .sum();
    }

    private static Duration since(Holdings holdings, IdleGpu gpu) {
        return Duration.between(gpu.gpu().idleSince().orElse(holdings.at()), holdings.at());
    }

    private static String gpuName(HeldGpu gpu) {
        return gpu.node()
                + gpu.allocated()
                        .map(AllocatedGpu::gresIndex)
                        .map(i -> " #" + i)
                        .orElse("")
                + gpu.device()
                        .map(device -> " " + Plain.line(device.name(), 30))
                        .orElse("");
    }

    // ---- users

    /**
     * What one user has now. Immutable.
     *
     * @param user login name
     * @param running jobs that run
     * @param waiting jobs that wait; the waiting rest of an array is one
     * @param gpus GPUs held, by Slurm's word
     * @param idleGpus how many of them are idle
     * @param cpus CPUs held
     */
    public record UserHolds(String user, int running, int waiting, int gpus, int idleGpus, int cpus) {
        UserHolds plus(UserHolds other) {
            return new UserHolds(
                    user,
                    running + other.running,
                    waiting + other.waiting,
                    gpus + other.gpus,
                    idleGpus + other.idleGpus,
                    cpus + other.cpus);
        }
    }

    /** What each user has, those with most idle GPUs first. */
    public static List<UserHolds> byUser(Holdings holdings) {
        Map<String, UserHolds> users = new TreeMap<>();
        for (Held held : holdings.running()) {
            Run.Allocation given = held.run().allocation();
            add(
                    users,
                    new UserHolds(
                            held.run().owner().user(),
                            1,
                            0,
                            given.gpus().orElse(0),
                            held.idleGpus(),
                            given.cpus().orElse(0)));
        }
        for (PendingJob job : holdings.pending()) {
            add(users, new UserHolds(job.owner().user(), 0, 1, 0, 0, 0));
        }
        return users.values().stream()
                .sorted(Comparator.comparingInt(UserHolds::idleGpus)
                        .thenComparingInt(UserHolds::gpus)
                        .thenComparingInt(UserHolds::running)
                        .reversed())
                .toList();
    }

    private static void add(Map<String, UserHolds> users, UserHolds more) {
        users.merge(more.user(), more, UserHolds::plus);
    }

    /** What each user has. */
    public String users(Holdings holdings) {
        List<String[]> rows = new ArrayList<>();
        rows.add(new String[] {"user", "running", "waiting", "GPUs", "idle", "CPUs"});
        byUser(holdings)
                .forEach(user -> rows.add(new String[] {
                    name(user.user()),
                    Integer.toString(user.running()),
                    Integer.toString(user.waiting()),
                    Integer.toString(user.gpus()),
                    user.idleGpus() == 0 ? "-" : Integer.toString(user.idleGpus()),
                    Integer.toString(user.cpus())
                }));
        return heading(holdings)
                .append(rows.size() == 1 ? "Nobody has a job.\n" : Table.render(rows))
                .append(source(holdings))
                .toString();
    }

    /** A line for each user. */
    public String usersCsv(Holdings holdings) {
        Csv csv = new Csv("user", "running", "waiting", "gpus", "idle_gpus", "cpus");
        byUser(holdings)
                .forEach(user -> csv.row(
                        user.user(),
                        Integer.toString(user.running()),
                        Integer.toString(user.waiting()),
                        Integer.toString(user.gpus()),
                        Integer.toString(user.idleGpus()),
                        Integer.toString(user.cpus())));
        return csv.toString();
    }

    // ---- shared

    private static StringBuilder heading(Holdings holdings) {
        StringBuilder page = new StringBuilder();
        holdings.simulated()
                .ifPresent(sentence ->
                        page.append("** ").append(Plain.line(sentence, 200)).append(" **\n"));
        return page;
    }

    private static String source(Holdings holdings) {
        return "\nSlurm: "
                + holdings.slurmAsOf()
                        .map(at -> "as of " + Plain.duration(Duration.between(at, holdings.at())) + " ago")
                        .orElse("has not answered yet")
                + "; GPUs by their nodes' readings of the last " + Plain.duration(HoldLookup.LATELY) + ".\n";
    }

    private static String where(List<String> nodes) {
        return nodes.isEmpty()
                ? "-"
                : Plain.line(nodes.get(0), LONGEST_NAME) + (nodes.size() > 1 ? " +" + (nodes.size() - 1) : "");
    }

    private static String name(String text) {
        return Plain.line(text, LONGEST_NAME);
    }

    private static String ratio(OptionalDouble value) {
        return value.isPresent() ? String.format(Locale.ROOT, "%.3f", value.getAsDouble()) : "";
    }
}
