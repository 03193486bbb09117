package io.fairwatch.collector;

import io.fairwatch.agent.config.ConfigFile.Default;
import io.fairwatch.agent.config.ConfigFile.Range;
import io.fairwatch.agent.config.ConfigFile.Size;
import io.fairwatch.collector.answer.Answers;
import io.fairwatch.collector.enforce.Enforcer;
import io.fairwatch.collector.notice.Addresses;
import io.fairwatch.collector.notice.LetterWriter;
import io.fairwatch.collector.notice.Notifier;
import io.fairwatch.collector.notice.Person;
import io.fairwatch.collector.notice.QuietTime;
import io.fairwatch.collector.notice.SmtpOutbox;
import io.fairwatch.collector.report.ReportPost;
import io.fairwatch.collector.report.ReportSettings;
import io.fairwatch.collector.report.SemesterCalendar;
import io.fairwatch.collector.slurm.SlurmSettings;
import io.fairwatch.rules.Ladder;
import java.net.URI;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;

/**
 * The collector's configuration, with all defaults; {@code deploy/collector.example.yml} explains each key to an
 * administrator. Immutable.
 *
 * @param listen where agents and people reach it
 * @param ingest what agents send
 * @param store where everything is kept
 * @param slurm how Slurm is asked
 * @param rules what is judged
 * @param escalation who hears of findings, one after the other
 * @param enforcement what is done to jobs
 * @param answers what owners and staff can say
 * @param access who sees what
 * @param mail how mails are sent
 * @param people how people are written to
 * @param report what reports say
 * @param site names of things
 */
record CollectorConfig(
        Listen listen,
        Ingest ingest,
        Keep store,
        Slurm slurm,
        Rules rules,
        Escalation escalation,
        EnforcementConfig enforcement,
        AnswersConfig answers,
        AccessConfig access,
        Mail mail,
        PeopleConfig people,
        Reporting report,
        Site site) {

    Enforcer.Settings enforcer() {
        return enforcement.settings(slurm.staleAfter(), mail.rehearses());
    }

    /** What the links of mails offer: in a rehearsal no end of a job, which neither comes nor reaches staff. */
    Answers.Settings answering() {
        Answers.Stop stop = mail.rehearses()
                ? Answers.Stop.NOT_ASKED
                : enforcer().stopByOwner() ? Answers.Stop.ENDS : Answers.Stop.STAFF;
        return new Answers.Settings(answers.validFor(), answers.mostTimes(), stop, enforcement.sentences());
    }

    /**
     * Where agents and people reach it.
     *
     * @param address to listen on
     * @param port to listen on
     * @param certificateFile PEM file with the server's certificate chain; present exactly with keyFile
     * @param keyFile PEM file with its private key
     */
    record Listen(
            @Default("0.0.0.0") String address,

            @Default("7480") @Range(from = "1", to = "65535")
            int port,

            Optional<Path> certificateFile,
            Optional<Path> keyFile) {
        Listen {
            if (certificateFile.isPresent() != keyFile.isPresent()) {
                throw new IllegalArgumentException(
                        "certificateFile: comes without keyFile, or the other way round" + " (expected: both or none)");
            }
        }
    }

    /**
     * What agents send.
     *
     * @param tokenFile file with the token that agents must show; absent: anybody may send
     */
    record Ingest(Optional<Path> tokenFile) {}

    /**
     * Where everything is kept.
     *
     * @param directory of the embedded store
     * @param memory most memory that the database takes, beside the Java heap
     * @param leastFree free space below which no snapshot is taken
     * @param keepReadings how long readings are kept as they came
     * @param keepRollups how long roll-ups of five minutes are kept
     * @param keepTables other times for single tables, by name
     */
    record Keep(
            @Default("/var/lib/fairwatch-collector") Path directory,

            @Default("512MiB") @Range(from = "64MiB", to = "1TiB")
            Size memory,

            @Default("256MiB") @Range(from = "1MiB", to = "1TiB")
            Size leastFree,

            @Default("14d") @Range(from = "1d", to = "36600d")
            Duration keepReadings,

            @Default("730d") @Range(from = "1d", to = "36600d")
            Duration keepRollups,

            Map<String, Duration> keepTables) {
        Keep {
            new io.fairwatch.collector.store.Keep(keepReadings, keepRollups, keepTables); // refuses unknown tables
        }

        io.fairwatch.collector.store.Keep keep() {
            return new io.fairwatch.collector.store.Keep(keepReadings, keepRollups, keepTables);
        }
    }

    /**
     * How Slurm is asked.
     *
     * @param enabled whether there is a Slurm to ask
     * @param binaries directory of squeue and the others; absent: found by PATH
     * @param prefix words put before each command
     * @param slurmConf path of slurm.conf; absent: Slurm's own default
     * @param cluster ClusterName; absent: asked from Slurm
     * @param every how often live jobs and nodes are read
     * @param accountingEvery how often ended jobs are read
     * @param timeout how long one command may take
     * @param maxOutput how much one command may print
     * @param history how far back ended jobs are read from accounting, in the background
     * @param rest slurmrestd instead of squeue, sinfo and sacct; absent: the commands
     */
    record Slurm(
            @Default("true") boolean enabled,
            Optional<Path> binaries,
            List<String> prefix,
            Optional<Path> slurmConf,
            Optional<String> cluster,
            @Default("15s") @Range(from = "1s", to = "10m") Duration every,
            @Default("60s") @Range(from = "1s", to = "1h") Duration accountingEvery,
            @Default("30s") @Range(from = "1s", to = "10m") Duration timeout,

            @Default("256MiB") @Range(from = "1MiB", to = "1GiB")
            Size maxOutput,

            @Default("30d") @Range(from = "1h", to = "3660d")
            Duration history,

            Optional<Rest> rest) {
        /**
         * How slurmrestd is asked.
         *
         * @param url where it listens
         * @param user whom the token names
         * @param tokenFile file with the token
         * @param version of its interface; absent: the newest that it describes
         */
        record Rest(URI url, String user, Path tokenFile, Optional<String> version) {
            Rest {
                new SlurmSettings.Rest(url, user, tokenFile, version); // refused where a line can be named
            }
        }

        SlurmSettings settings() {
            return new SlurmSettings(
                    binaries,
                    prefix,
                    slurmConf,
                    cluster,
                    every,
                    accountingEvery,
                    SlurmSettings.DEFAULTS.accountsEvery(),
                    timeout,
                    maxOutput.bytes(),
                    SlurmSettings.DEFAULTS.overlap(),
                    history,
                    rest.map(one -> new SlurmSettings.Rest(one.url(), one.user(), one.tokenFile(), one.version())));
        }

        /** From when on Slurm's answers are called stale. */
        Duration staleAfter() {
            return every.multipliedBy(3).plus(timeout);
        }
    }

    /**
     * What is judged.
     *
     * @param directory of the site's own rule files; absent: only the shipped ones
     * @param every how often
     * @param busyAboveRatio a reading above this counts as busy in lookups, letters and reports
     * @param settings what the site changes in rules, by rule and key
     */
    record Rules(
            Optional<Path> directory,
            @Default("60s") @Range(from = "1s", to = "1h") Duration every,
            @Default("0.01") @Range(from = "0", to = "1") double busyAboveRatio,
            Map<String, Map<String, Object>> settings) {}

    /**
     * Who hears of findings.
     *
     * @param steps one after the other, for rules that do not say so themselves; none given: the owner at once and again
     *     after a day, staff a day later
     * @param staff addresses for steps that tell staff; none given: the site's support address
     * @param webhook a program that steps can tell; absent: none
     */
    record Escalation(List<EscalationStep> steps, List<String> staff, Optional<Hook> webhook) {
        private static final List<EscalationStep> DEFAULT = List.of(
                new EscalationStep(Ladder.Target.OWNER, Duration.ZERO),
                new EscalationStep(Ladder.Target.OWNER, Duration.ofDays(1)),
                new EscalationStep(Ladder.Target.STAFF, Duration.ofDays(1)));

        Escalation {
            steps = steps.isEmpty() ? DEFAULT : steps;
            ladder(steps); // refuses a deed before a warning
            for (String address : staff) {
                new Person.Known(Optional.of(address), Optional.empty(), Optional.empty(), Optional.empty());
            }
        }

        Ladder ladder() {
            return ladder(steps);
        }

        private static Ladder ladder(List<EscalationStep> steps) {
            return new Ladder(steps.stream()
                    .map(one -> new Ladder.Step(one.step, one.after))
                    .toList());
        }
    }

    /**
     * A program of the site's, told by HTTP.
     *
     * @param url where findings are posted to
     * @param secretFile file whose first line signs what is posted; absent: unsigned
     * @param timeout for one answer
     */
    record Hook(
            URI url,
            Optional<Path> secretFile,

            @Default("10s") @Range(from = "100ms", to = "1m")
            Duration timeout) {
        Hook {
            if (!"http".equals(url.getScheme()) && !"https".equals(url.getScheme())) {
                throw new IllegalArgumentException("url: " + url + " (expected: http or https)");
            }
        }
    }

    /**
     * One step.
     *
     * @param step whom it tells, or what it does
     * @param after how long after the one before was delivered
     */
    record EscalationStep(
            Ladder.Target step,
            @Default("0s") @Range(from = "0s", to = "365d") Duration after) {}

    /**
     * How owners are told.
     *
     * @param mode {@code record}: everything is decided and kept, nothing is sent; {@code notify}: mails are sent
     * @param userTemplate address of a user whose name is none, e.g. {@code %u@example.org}; absent: such users have none
     * @param redirectAllTo all mails go there instead: for rehearsals
     * @param mostPerDay most mails to one person within 24 hours
     * @param retryFirst wait before a second attempt
     * @param retryMost longest wait between attempts
     */
    record Mail(
            @Default("record") Notifier.Mode mode,
            @Default("localhost") String host,
            @Default("25") @Range(from = "1", to = "65535") int port,
            @Default("optional") SmtpOutbox.StartTls startTls,
            Optional<Path> caFile,
            Optional<String> username,
            Optional<Path> passwordFile,
            @Default("fairwatch@localhost.localdomain") String from,
            Optional<String> replyTo,
            @Default("30s") @Range(from = "1s", to = "10m") Duration timeout,
            Optional<String> userTemplate,
            Optional<String> redirectAllTo,
            @Default("10") @Range(from = "1", to = "1000") int mostPerDay,
            @Default("1m") @Range(from = "1s", to = "1d") Duration retryFirst,
            @Default("1h") @Range(from = "1s", to = "7d") Duration retryMost,
            Bounces bounces) {
        Mail {
            if (username.isPresent() != passwordFile.isPresent()) {
                throw new IllegalArgumentException((username.isPresent() ? "username" : "passwordFile")
                        + ": comes alone (expected: username and passwordFile, or neither)");
            }
            // refused here, where a line of the file can be named, and not when the parts are made
            smtp(host, port, startTls, caFile, username, passwordFile, from, bounces, replyTo, timeout);
            new Notifier.Settings(
                    mode,
                    redirectAllTo,
                    mostPerDay,
                    retryFirst,
                    retryMost,
                    Duration.ZERO,
                    QuietTime.none(ZoneOffset.UTC),
                    Notifier.Bouncing.DEFAULTS);
            try {
                new Addresses(userTemplate);
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException(
                        "userTemplate: " + userTemplate.orElse("") + " (expected: e.g. %u@example.org)", e);
            }
        }

        /** Whether mails do not reach those whom they concern. */
        boolean rehearses() {
            return mode == Notifier.Mode.RECORD || redirectAllTo.isPresent();
        }

        SmtpOutbox.Settings smtp() {
            return smtp(host, port, startTls, caFile, username, passwordFile, from, bounces, replyTo, timeout);
        }

        private static SmtpOutbox.Settings smtp(
                String host,
                int port,
                SmtpOutbox.StartTls startTls,
                Optional<Path> caFile,
                Optional<String> username,
                Optional<Path> passwordFile,
                String from,
                Bounces bounces,
                Optional<String> replyTo,
                Duration timeout) {
            return new SmtpOutbox.Settings(
                    host, port, startTls, caFile, username, passwordFile, from, bounces.address(), replyTo, timeout);
        }

        Notifier.Settings notifier(Duration staleAfter, QuietTime quiet) {
            return new Notifier.Settings(
                    mode,
                    redirectAllTo,
                    mostPerDay,
                    retryFirst,
                    retryMost,
                    staleAfter,
                    quiet,
                    new Notifier.Bouncing(bounces.stopAfter(), bounces.remember()));
        }
    }

    /**
     * Mails that come back.
     *
     * @param address where they come back to, an alias that hands them to {@code fairwatch bounce}; absent: {@code from}
     * @param tokenFile file with the token that {@code fairwatch bounce} must show; absent: none are taken
     * @param stopAfter an address gets no more mails when so many came back
     * @param remember how long one counts
     */
    record Bounces(
            Optional<String> address,
            Optional<Path> tokenFile,
            @Default("2") @Range(from = "1", to = "1000") int stopAfter,
            @Default("30d") @Range(from = "1h", to = "365d") Duration remember) {}

    /**
     * What reports say.
     *
     * @param calendar how the site's year is divided, unless {@code semesters} says so
     * @param semesters semesters by name; empty: those of {@code calendar}
     * @param faculties departments of each faculty
     * @param departments accounts of each department
     * @param accountTree what the levels of Slurm's tree of accounts are
     * @param nodeGroups nodes of each group
     * @param people how people appear
     * @param co2GramsPerKwh what a kWh weighs in CO2; absent: not told
     * @param co2Source where that figure is from; absent: not told
     * @param smallQos the QoS for those who run nothing
     * @param untouched scratch directories untouched for so long are offered for clearing
     * @param mail who gets reports by mail
     */
    record Reporting(
            @Default("aalborg") Calendar calendar,
            Map<String, Semester> semesters,
            Map<String, List<String>> faculties,
            Map<String, List<String>> departments,
            @Default("none") ReportSettings.Tree accountTree,
            Map<String, List<String>> nodeGroups,
            @Default("names") ReportSettings.People people,
            Optional<Double> co2GramsPerKwh,
            Optional<String> co2Source,
            @Default("1cpu") String smallQos,

            @Default("90d") @Range(from = "1d", to = "3660d")
            Duration untouched,

            Mailing mail) {
        Reporting {
            semesters.forEach((name, semester) -> SemesterCalendar.Part.parse(semester.from(), semester.to()));
            if (co2GramsPerKwh.isPresent() && !(co2GramsPerKwh.get() >= 0 && co2GramsPerKwh.get() <= 5000)) {
                throw new IllegalArgumentException(
                        "co2GramsPerKwh: " + co2GramsPerKwh.get() + " (expected: from 0 to 5000)");
            }
            settings(calendar, semesters); // refused here, where a line of the file can be named
        }

        /**
         * Who gets reports by mail, and when.
         *
         * @param to addresses; none: nobody
         * @param every after what; none: after each semester
         * @param language in which
         * @param formats what is attached; none: the PDF
         * @param after how long after a period's end
         */
        record Mailing(
                List<String> to,
                List<ReportPost.When> every,
                @Default("en") String language,
                List<ReportPost.Format> formats,

                @Default("1d") @Range(from = "1h", to = "14d")
                Duration after) {
            Mailing {
                every = every.isEmpty() ? List.of(ReportPost.When.SEMESTER) : every;
                formats = formats.isEmpty() ? List.of(ReportPost.Format.PDF) : formats;
                to.stream()
                        .filter(address -> !Addresses.isAddress(address))
                        .findFirst()
                        .ifPresent(address -> {
                            throw new IllegalArgumentException("to: " + address + " (expected: addresses)");
                        });
                if (!List.of("en", "da").contains(language)) {
                    throw new IllegalArgumentException("language: " + language + " (expected: en or da)");
                }
            }

            ReportPost.Settings settings() {
                return new ReportPost.Settings(to, Set.copyOf(every), language, Set.copyOf(formats), after);
            }
        }

        /** Calendars that come with the collector. */
        enum Calendar {
            AALBORG,
            HALF_YEARS
        }

        /**
         * A semester of any year.
         *
         * @param from its first day, e.g. 09-01
         * @param to the first day after it
         */
        record Semester(String from, String to) {}

        private static SemesterCalendar settings(Calendar calendar, Map<String, Semester> semesters) {
            if (semesters.isEmpty()) {
                return calendar == Calendar.AALBORG ? SemesterCalendar.AALBORG : SemesterCalendar.HALF_YEARS;
            }
            Map<String, SemesterCalendar.Part> parts = new LinkedHashMap<>();
            semesters.forEach(
                    (name, semester) -> parts.put(name, SemesterCalendar.Part.parse(semester.from(), semester.to())));
            return new SemesterCalendar(parts);
        }

        ReportSettings settings(double busyAboveRatio) {
            return new ReportSettings(
                    settings(calendar, semesters),
                    faculties,
                    departments,
                    accountTree,
                    nodeGroups,
                    people,
                    co2GramsPerKwh.map(OptionalDouble::of).orElseGet(OptionalDouble::empty),
                    co2Source.map(source -> "(" + source + ")").orElse(""),
                    smallQos,
                    untouched,
                    busyAboveRatio);
        }
    }

    /**
     * Names of things.
     *
     * @param name what people call the cluster
     * @param support address of the people who can help
     * @param url where people reach the collector; absent: not told
     * @param zone zone of all times that people read; absent: the system's
     */
    record Site(
            @Default("the cluster") String name,
            @Default("root@localhost.localdomain") String support,
            Optional<URI> url,
            Optional<String> zone) {
        Site {
            if (zone.isPresent()) {
                try {
                    ZoneId.of(zone.get());
                } catch (DateTimeException e) {
                    throw new IllegalArgumentException(
                            "zone: " + zone.get() + " (expected: a name such as Europe/Copenhagen)", e);
                }
            }
            new LetterWriter.Site(name, support, url); // refuses what is no address
        }

        ZoneId zoneId() {
            return zone.map(ZoneId::of).orElseGet(ZoneId::systemDefault);
        }
    }
}
