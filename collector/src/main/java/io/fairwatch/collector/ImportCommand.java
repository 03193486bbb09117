package io.fairwatch.collector;

import io.fairwatch.agent.config.ConfigFile;
import io.fairwatch.agent.config.ConfigFile.ConfigException;
import io.fairwatch.collector.HistoryRound.Progress;
import io.fairwatch.collector.slurm.HistoryImport;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.text.Plain;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;

/** {@code import sacct}: old jobs from Slurm's accounting, so that reports begin before the installation. */
@Command(
        name = "import",
        mixinStandardHelpOptions = true,
        description = "Brings in what was before the installation.",
        subcommands = ImportCommand.Sacct.class)
final class ImportCommand {
    @ParentCommand
    private Main main = new Main();

    /** The command itself. Confined to one thread. */
    @Command(
            name = "sacct",
            mixinStandardHelpOptions = true,
            description = {
                "Reads old jobs from Slurm's accounting, newest first. What Slurm gave them is exact; what they used of it is"
                        + " not known and stays so.",
                "While the collector runs, it does the work and this command shows how far it is; Ctrl-C then ends only the"
                        + " showing. Without a running collector this command does the work. Either way it can be ended and"
                        + " called again at any time, and goes on where it was."
            },
            exitCodeListHeading = "%nExit codes:%n",
            exitCodeList = {"0: all is there", "1: could not go on", "2: wrong configuration or words"})
    static final class Sacct implements Callable<Integer> {
        private static final Duration LOOK = Duration.ofMillis(500);
        private static final Duration NO_SIGN = Duration.ofMinutes(2);
        private static final Duration AFTER_FAILURE = Duration.ofSeconds(20);
        private static final int MOST_FAILURES = 5;

        @ParentCommand
        private ImportCommand parent = new ImportCommand();

        @Option(
                names = "--since",
                paramLabel = "YYYY-MM-DD",
                description = "The first day; default: as slurm.history says.")
        private Optional<LocalDate> since = Optional.empty();

        private final PrintStream out = System.out;
        private final boolean terminal = Terminal.isOutput();
        private String shown = "";

        @Override
        public Integer call() throws InterruptedException {
            Path file = parent.main.configFile();
            CollectorConfig config;
            try {
                config = ConfigFile.read(file, CollectorConfig.class);
            } catch (ConfigException wrong) {
                System.err.println(wrong.getMessage());
                return 2;
            }
            if (!config.slurm().enabled()) {
                System.err.println(file + ": slurm.enabled is false, so there is nobody to ask");
                return 2;
            }
            InstantSource clock = Main.clock();
            ZoneId zone = config.site().zoneId();
            Instant first = since.map(day -> day.atStartOfDay(zone).toInstant())
                    .orElseGet(() -> clock.instant().minus(config.slurm().history()));
            if (!first.isBefore(clock.instant())) {
                System.err.println("--since: " + first + " (expected: a day in the past)");
                return 2;
            }
            Path directory = config.store().directory();
            try (Store store = DuckDbStore.open(directory, Main.storeSettings(config))) {
                return work(new HistoryImport(config.slurm().settings(), store, clock), first, zone, clock);
            } catch (StoreException e) {
                if (e.getMessage() == null || !e.getMessage().contains("in use by another collector")) {
                    System.err.println(e.getMessage());
                    return 1;
                }
            }
            try {
                return watch(directory, first, zone, clock);
            } catch (IOException e) {
                System.err.println("import: the collector that runs cannot be asked, in " + directory + ": " + e
                        + " (expected: to be called as root or as the user of the collector)");
                return 1;
            }
        }

        /** Nobody else has the store: reads window by window. */
        private int work(HistoryImport history, Instant first, ZoneId zone, InstantSource clock)
                throws StoreException, InterruptedException {
            Progress progress = Progress.begin(first, history.completeSince(), clock.instant());
            int failures = 0;
            while (!progress.done()) {
                try {
                    Optional<HistoryImport.Step> step = history.step(first);
                    if (step.isEmpty()) {
                        break;
                    }
                    progress = progress.after(step.get(), clock.instant());
                    failures = 0;
                    show(progress, zone);
                } catch (SlurmException e) {
                    failures++;
                    end();
                    System.err.println("import: " + Plain.line(String.valueOf(e.getMessage()), 300));
                    if (failures >= MOST_FAILURES) {
                        System.err.println("import: given up; call it again and it goes on from here");
                        return 1;
                    }
                    Thread.sleep(AFTER_FAILURE.toMillis());
                }
            }
            end();
            done(progress, zone);
            return 0;
        }

        /** A collector has the store: asks it, and shows what it says. */
        private int watch(Path directory, Instant first, ZoneId zone, InstantSource clock)
                throws IOException, InterruptedException {
            HistoryRound.ask(directory, first);
            out.println("The collector is running and does it; Ctrl-C ends only what you see here.");
            Instant asked = clock.instant();
            while (HistoryRound.wish(directory).isPresent()) {
                Optional<Progress> now =
                        HistoryRound.progress(directory).filter(seen -> seen.since() <= first.getEpochSecond());
                now.ifPresent(progress -> show(progress, zone));
                Instant sign = now.map(progress -> Instant.ofEpochSecond(progress.at()))
                        .filter(asked::isBefore)
                        .orElse(asked);
                if (sign.isBefore(clock.instant().minus(NO_SIGN))) {
                    end();
                    System.err.println("import: nothing heard of the collector for " + Plain.duration(NO_SIGN)
                            + "; it goes on when it can. See: fairwatch health");
                    return 1;
                }
                Thread.sleep(LOOK.toMillis());
            }
            end();
            HistoryRound.progress(directory)
                    .filter(Progress::done)
                    .ifPresentOrElse(
                            progress -> done(progress, zone),
                            () -> out.println("All is there already since " + Plain.minute(first, zone) + "."));
            return 0;
        }

        private void show(Progress progress, ZoneId zone) {
            String line = String.format(
                    Locale.ROOT,
                    "%3.0f %%  back to %s  %,d jobs  %s",
                    Math.floor(progress.ratio() * 100),
                    Plain.minute(Instant.ofEpochSecond(progress.completeSince()), zone),
                    progress.runs(),
                    progress.failure().isEmpty()
                            ? progress.left()
                                    .map(left -> "about " + Plain.duration(left) + " left")
                                    .orElse("")
                            : "waits: " + Plain.line(progress.failure(), 120));
            if (line.equals(shown)) {
                return;
            }
            out.print(terminal ? "\r" + line + " ".repeat(Math.max(0, shown.length() - line.length())) : line + "\n");
            out.flush();
            shown = line;
        }

        private void end() {
            if (terminal && !shown.isEmpty()) {
                out.println();
            }
        }

        private void done(Progress progress, ZoneId zone) {
            out.printf(
                    Locale.ROOT,
                    "All jobs that ended since %s are there; %,d were read now.%n",
                    Plain.minute(Instant.ofEpochSecond(progress.completeSince()), zone),
                    progress.runs());
            if (progress.problems() > 0) {
                out.printf(Locale.ROOT, "%,d rows could not be read; see the log.%n", progress.problems());
            }
        }
    }
}
