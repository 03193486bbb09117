package io.fairwatch.collector.lookup;

import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.collector.lookup.HoldLookup.HeldGpu;
import io.fairwatch.collector.lookup.HoldLookup.Holdings;
import io.fairwatch.collector.lookup.HoldLookup.IdleGpu;
import io.fairwatch.collector.run.AllocatedGpu;
import io.fairwatch.collector.text.Csv;
import io.fairwatch.collector.text.Plain;
import io.fairwatch.collector.text.Table;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** Renders what is held, as text and CSV. Immutable. */
public final class HoldText {
    private static final int LONGEST_NAME = 40;

    // ---- idle GPUs

    /** Who holds idle GPUs, since when; the longest first. */
    public String idle(Holdings holdings, List<IdleGpu> idle, Listing<IdleGpu> shown) {
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
        for (IdleGpu gpu : shown.items()) {
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
        page.append(Table.render(rows));
        return page.append(more(shown)).append(source(holdings)).toString();
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

    static String gpuName(HeldGpu gpu) {
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

    /** What each user or account has. */
    public String holds(String who, Listing<Holds> list) {
        List<String[]> rows = new ArrayList<>();
        boolean joined = list.items().stream().anyMatch(has -> has.standing().isPresent());
        rows.add(
                joined
                        ? new String[] {
                            who,
                            "running",
                            "waiting",
                            "GPUs",
                            "idle",
                            "CPUs",
                            "at most",
                            who.equals("user") ? "account" : "within"
                        }
                        : new String[] {who, "running", "waiting", "GPUs", "idle", "CPUs"});
        list.items().forEach(has -> {
            List<String> row = new ArrayList<>(List.of(
                    name(has.name()),
                    Integer.toString(has.running()),
                    Integer.toString(has.waiting()),
                    Integer.toString(has.gpus()),
                    has.gpusIdle() == 0 ? "-" : Integer.toString(has.gpusIdle()),
                    Integer.toString(has.cpus())));
            if (joined) {
                OptionalLong most = has.standing().map(Standing::gpusAtMost).orElse(OptionalLong.empty());
                row.add(most.isPresent() ? Long.toString(most.getAsLong()) : "-");
                row.add(name(has.standing().flatMap(Standing::account).orElse("-")));
            }
            rows.add(row.toArray(String[]::new));
        });
        return simulated(list.simulated())
                .append(rows.size() == 1 ? "There is no such job.\n" : Table.render(rows))
                .append(more(list))
                .append(source(list.at(), list.slurmAsOf()))
                .toString();
    }

    /** A line for each user or account. */
    public String holdsCsv(List<Holds> list) {
        Csv csv = new Csv(
                "name",
                "running",
                "waiting",
                "gpus",
                "gpus_idle",
                "cpus",
                "account",
                "accounts",
                "coordinators",
                "qos",
                "users",
                "gpus_at_most");
        list.forEach(has -> csv.row(
                has.name(),
                Integer.toString(has.running()),
                Integer.toString(has.waiting()),
                Integer.toString(has.gpus()),
                Integer.toString(has.gpusIdle()),
                Integer.toString(has.cpus()),
                has.standing().flatMap(Standing::account).orElse(""),
                words(has.standing().map(Standing::accounts)),
                words(has.standing().map(Standing::coordinators)),
                words(has.standing().map(Standing::qos)),
                has.standing()
                        .map(Standing::users)
                        .filter(OptionalInt::isPresent)
                        .map(users -> Integer.toString(users.getAsInt()))
                        .orElse(""),
                has.standing()
                        .map(Standing::gpusAtMost)
                        .filter(OptionalLong::isPresent)
                        .map(most -> Long.toString(most.getAsLong()))
                        .orElse("")));
        return csv.toString();
    }

    private static String words(Optional<List<String>> list) {
        return String.join(" ", list.orElse(List.of()));
    }

    // ---- shared

    private static StringBuilder heading(Holdings holdings) {
        return simulated(holdings.simulated());
    }

    private static StringBuilder simulated(Optional<String> sentence) {
        StringBuilder page = new StringBuilder();
        sentence.ifPresent(
                said -> page.append("** ").append(Plain.line(said, 200)).append(" **\n"));
        return page;
    }

    private static String source(Holdings holdings) {
        return source(holdings.at(), holdings.slurmAsOf());
    }

    private static String source(Instant at, Optional<Instant> slurmAsOf) {
        return "\nSlurm: "
                + slurmAsOf
                        .map(asOf -> "as of " + Plain.duration(Duration.between(asOf, at)) + " ago")
                        .orElse("has not answered yet")
                + "; GPUs by their nodes' readings of the last " + Plain.duration(HoldLookup.LATELY) + ".\n";
    }

    private static String more(Listing<?> list) {
        return list.next()
                .map(next -> "\nAnd more, not shown: ask for fewer, or for the next ones by --after " + next + "\n")
                .orElse("");
    }

    private static String name(String text) {
        return Plain.line(text, LONGEST_NAME);
    }
}
