package io.fairwatch.collector;

import io.fairwatch.agent.config.ConfigFile;
import io.fairwatch.agent.config.ConfigFile.ConfigException;
import io.fairwatch.collector.ChoreRound.Progress;
import io.fairwatch.collector.ChoreRound.Wish;
import io.fairwatch.collector.store.Copies;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Export;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.text.Plain;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** {@code backup}, {@code restore} and {@code export}: the store's data in other places and forms. */
final class CopyCommands {
    private CopyCommands() {}

    /** What the three have in common. Confined to one thread. */
    private abstract static class Copying implements Callable<Integer> {
        private static final Duration LOOK = Duration.ofMillis(200);
        private static final Duration NO_SIGN = Duration.ofMinutes(10);

        @ParentCommand
        Main main = new Main();

        final PrintStream out = System.out;
        private final boolean terminal = Terminal.isOutput();
        private String shown = "";
        private long shownAt;

        /** What is done with the configuration; the exit code. */
        abstract int with(CollectorConfig config) throws StoreException, IOException, InterruptedException;

        @Override
        public Integer call() throws InterruptedException {
            String name = getClass().getAnnotation(Command.class).name();
            try {
                return with(ConfigFile.read(main.configFile(), CollectorConfig.class));
            } catch (ConfigException wrong) {
                System.err.println(wrong.getMessage());
                return 2;
            } catch (IllegalArgumentException | DateTimeException wrong) {
                end();
                System.err.println(name + ": " + wrong.getMessage());
                return 2;
            } catch (StoreException | IOException e) {
                end();
                System.err.println(Plain.line(String.valueOf(e.getMessage()), 1000));
                return 1;
            }
        }

        /** Lets a running collector do it, or does it where none runs. */
        final int copy(CollectorConfig config, Wish wish) throws StoreException, IOException, InterruptedException {
            Path directory = config.store().directory();
            if (!Files.exists(directory.resolve("fairwatch.duckdb"))) {
                throw new StoreException("there is no store in " + directory
                        + " (expected: that of store.directory, readable for whoever calls this)");
            }
            try (DuckDbStore store = DuckDbStore.open(directory, Main.storeSettings(config))) {
                show(wish.fulfil(store, Main.clock().instant(), this::show), wish.target());
                return 0;
            } catch (StoreException e) {
                if (e.getMessage() == null || !e.getMessage().contains("in use by another collector")) {
                    throw e;
                }
            }
            ChoreRound.ask(directory, wish);
            out.println("The collector is running and does it; Ctrl-C ends only what you see here.");
            Instant sign = Main.clock().instant();
            while (true) {
                Optional<Progress> now = ChoreRound.progress(directory, wish.id());
                if (now.isPresent()) {
                    if (!now.get().failure().isEmpty()) {
                        throw new StoreException(now.get().failure());
                    }
                    Copies made = now.get().made();
                    if (made != null) {
                        show(made, wish.target());
                        return 0;
                    }
                    show(now.get().what(), now.get().done(), now.get().of());
                    sign = Instant.ofEpochSecond(
                            Math.max(sign.getEpochSecond(), now.get().at()));
                }
                if (sign.isBefore(Main.clock().instant().minus(NO_SIGN))) {
                    throw new IOException("nothing heard of the collector for " + Plain.duration(NO_SIGN)
                            + "; see its log and: fairwatch health");
                }
                Thread.sleep(LOOK.toMillis());
            }
        }

        /** On a terminal at once, in a log once in ten seconds. */
        final void show(String what, long done, long of) {
            long now = System.nanoTime();
            String line = String.format(
                    Locale.ROOT, "%3.0f %%  %s", of <= 0 ? 0 : Math.floor(100.0 * done / of), Plain.line(what, 90));
            if (line.equals(shown) || (!terminal && shownAt != 0 && now - shownAt < 10_000_000_000L)) {
                return;
            }
            out.print(terminal ? "\r" + line + " ".repeat(Math.max(0, shown.length() - line.length())) : line + "\n");
            out.flush();
            shown = line;
            shownAt = now;
        }

        final void end() {
            if (terminal && !shown.isEmpty()) {
                out.print("\r" + " ".repeat(shown.length()) + "\r");
                out.flush();
            }
        }

        final void show(Copies made, String target) {
            end();
            made.lines().forEach(out::println);
            out.printf(
                    Locale.ROOT,
                    "%s: %,d files, %,d rows, %s.%n",
                    Plain.line(target, 300),
                    made.files(),
                    made.rows(),
                    Plain.bytes(made.bytes()));
        }
    }

    @Command(
            name = "backup",
            mixinStandardHelpOptions = true,
            description = {
                "Copies the store into a new directory, as it is at one instant. While the collector runs, it makes the copy"
                        + " and goes on taking snapshots; else this command does. On the same file system sealed files get a"
                        + " second name and take no space, so copy the directory to another machine, e.g. with rsync.",
                "Restore with: fairwatch-collector restore DIRECTORY"
            },
            exitCodeListHeading = "%nExit codes:%n",
            exitCodeList = {
                "0: the backup is whole",
                "1: there is none; the message says why",
                "2: wrong configuration or words"
            })
    static final class Backup extends Copying {
        @Parameters(
                paramLabel = "DIRECTORY",
                description = "Where to; made now, by the user of the collector, who must be allowed to.")
        private Path target = Path.of("");

        @Override
        int with(CollectorConfig config) throws StoreException, IOException, InterruptedException {
            return copy(
                    config,
                    Wish.backup(
                            UUID.randomUUID().toString(),
                            target.toAbsolutePath().normalize()));
        }
    }

    @Command(
            name = "restore",
            mixinStandardHelpOptions = true,
            description = {
                "Makes the store of a backup, in store.directory of the configuration or where --to says. No collector may use"
                        + " that directory, and no store may lie there yet. Every file is checked before, and every row counted"
                        + " after, but for a backup of an older version, which is upgraded on the way. The backup stays as it is."
            },
            exitCodeListHeading = "%nExit codes:%n",
            exitCodeList = {
                "0: the store is there",
                "1: it is not; the message says why",
                "2: wrong configuration or words"
            })
    static final class Restore extends Copying {
        @Parameters(paramLabel = "DIRECTORY", description = "What fairwatch-collector backup made.")
        private Path backup = Path.of("");

        @Option(names = "--to", paramLabel = "DIRECTORY", description = "Instead of store.directory.")
        private Optional<Path> to = Optional.empty();

        @Override
        int with(CollectorConfig config) throws StoreException {
            Path target = to.orElse(config.store().directory()).toAbsolutePath().normalize();
            show(
                    DuckDbStore.restore(
                            backup.toAbsolutePath().normalize(), target, Main.storeSettings(config), this::show),
                    target.toString());
            return 0;
        }
    }

    @Command(
            name = "export",
            mixinStandardHelpOptions = true,
            description = {
                "Writes tables as Parquet or CSV, one file each, for R, pandas, DuckDB or a spreadsheet. While the collector"
                        + " runs, it does so; else this command. Columns that end in _ms are milliseconds, times since 1970"
                        + " in UTC; what is not known is empty."
            },
            exitCodeListHeading = "%nExit codes:%n",
            exitCodeList = {
                "0: all files are there",
                "1: not all; the message says why",
                "2: wrong configuration or words"
            })
    static final class ExportTables extends Copying {
        @Parameters(paramLabel = "DIRECTORY", description = "Where to; made by the user of the collector if missing.")
        private Path target = Path.of("");

        @Option(
                names = "--from",
                paramLabel = "TIME",
                description = "What was not before this: 2026-09-01 or 2026-09-01T12:00 in the site's zone.")
        private Optional<String> from = Optional.empty();

        @Option(names = "--to", paramLabel = "TIME", description = "And before this.")
        private Optional<String> to = Optional.empty();

        @Option(
                names = "--tables",
                paramLabel = "TABLE",
                split = ",",
                description = "Some of: ${COMPLETION-CANDIDATES}; default: all.",
                completionCandidates = Tables.class)
        private List<String> tables = List.of();

        @Option(
                names = "--format",
                paramLabel = "FORMAT",
                defaultValue = "parquet",
                description = "parquet, csv or csv.gz; default: parquet.")
        private String format = "parquet";

        /** For the help. */
        static final class Tables implements Iterable<String> {
            @Override
            public java.util.Iterator<String> iterator() {
                return Export.TABLES.iterator();
            }
        }

        @Override
        int with(CollectorConfig config) throws StoreException, IOException, InterruptedException {
            ZoneId zone = config.site().zoneId();
            Export what = new Export(
                    tables,
                    Export.Format.of(format),
                    from.map(text -> time("--from", text, zone)),
                    to.map(text -> time("--to", text, zone)));
            return copy(
                    config,
                    Wish.export(
                            UUID.randomUUID().toString(),
                            target.toAbsolutePath().normalize(),
                            what));
        }

        private static Instant time(String option, String text, ZoneId zone) {
            try {
                return text.length() == 10
                        ? LocalDate.parse(text).atStartOfDay(zone).toInstant()
                        : text.endsWith("Z")
                                ? Instant.parse(text)
                                : LocalDateTime.parse(text).atZone(zone).toInstant();
            } catch (DateTimeException e) {
                throw new IllegalArgumentException(
                        option + ": " + Plain.line(text, 40)
                                + " (expected: e.g. 2026-09-01, 2026-09-01T12:00 or 2026-09-01T10:00:00Z)",
                        e);
            }
        }
    }
}
