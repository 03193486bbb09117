package io.fairwatch.collector;

import io.fairwatch.agent.config.ConfigFile;
import io.fairwatch.agent.config.ConfigFile.ConfigException;
import io.fairwatch.collector.answer.AnswerLinks;
import io.fairwatch.collector.answer.AnswerPages;
import io.fairwatch.collector.answer.Answers;
import io.fairwatch.collector.answer.BounceRoute;
import io.fairwatch.collector.answer.StaffApi;
import io.fairwatch.collector.answer.StaffNotices;
import io.fairwatch.collector.enforce.Enforcer;
import io.fairwatch.collector.enforce.SlurmDeeds;
import io.fairwatch.collector.ingest.GroupCommit;
import io.fairwatch.collector.ingest.IngestHandler;
import io.fairwatch.collector.ingest.Journal;
import io.fairwatch.collector.judge.Backtest;
import io.fairwatch.collector.judge.Explainer;
import io.fairwatch.collector.judge.Judge;
import io.fairwatch.collector.lookup.FindingList;
import io.fairwatch.collector.lookup.HoldLookup;
import io.fairwatch.collector.lookup.JobList;
import io.fairwatch.collector.lookup.JobLookup;
import io.fairwatch.collector.lookup.NodeLookup;
import io.fairwatch.collector.lookup.Owners;
import io.fairwatch.collector.lookup.ScratchLookup;
import io.fairwatch.collector.lookup.SeriesLookup;
import io.fairwatch.collector.lookup.UserLookup;
import io.fairwatch.collector.notice.LetterWriter;
import io.fairwatch.collector.notice.Matter;
import io.fairwatch.collector.notice.MatterSource;
import io.fairwatch.collector.notice.NoticePlanner;
import io.fairwatch.collector.notice.Notifier;
import io.fairwatch.collector.notice.Post;
import io.fairwatch.collector.notice.RuleInfo;
import io.fairwatch.collector.notice.SmtpOutbox;
import io.fairwatch.collector.report.AccountingCheck;
import io.fairwatch.collector.report.ReportDesk;
import io.fairwatch.collector.report.ReportMaker;
import io.fairwatch.collector.report.ReportPost;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.slurm.HistoryImport;
import io.fairwatch.collector.slurm.SlurmCommand;
import io.fairwatch.collector.slurm.SlurmControl;
import io.fairwatch.collector.slurm.SlurmSync;
import io.fairwatch.collector.store.AuditEntry;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import io.fairwatch.collector.text.Plain;
import io.fairwatch.collector.usage.GpuTranslation;
import io.fairwatch.collector.usage.LiveGpus;
import io.fairwatch.collector.usage.LiveRuns;
import io.fairwatch.collector.usage.LiveUse;
import io.fairwatch.collector.usage.UpkeepRound;
import io.fairwatch.collector.web.Access;
import io.fairwatch.collector.web.AccessTokens;
import io.fairwatch.collector.web.Api;
import io.fairwatch.collector.web.BacktestRoute;
import io.fairwatch.collector.web.Described;
import io.fairwatch.collector.web.HealthCheck;
import io.fairwatch.collector.web.ReportPages;
import io.fairwatch.collector.web.RuleRoutes;
import io.fairwatch.rules.Ladder;
import io.fairwatch.rules.Rule;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.RuleSet.Overrides;
import io.fairwatch.rules.RuleSet.RuleException;
import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.file.FileSystemOptions;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.net.PemKeyCertOptions;
import io.vertx.ext.web.Router;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/** The collector: what agents send goes in at the top, what people read comes out at the bottom. */
@Command(
        name = "fairwatch-collector",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        description = "Takes what agents send, joins it with Slurm, judges, tells owners, answers questions.",
        subcommands = {
            ImportCommand.class,
            RulesCommand.class,
            CopyCommands.Backup.class,
            CopyCommands.Restore.class,
            CopyCommands.ExportTables.class,
            TokenCommand.class
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0: ended as asked", "1: could not go on", "2: wrong configuration or words"})
public final class Main implements Callable<Integer> {

    @Option(
            names = "--config",
            scope = ScopeType.INHERIT,
            defaultValue = "/etc/fairwatch/collector.yml",
            paramLabel = "FILE",
            description = "The configuration, YAML; default: ${DEFAULT-VALUE}.")
    private Path configFile = Path.of("/etc/fairwatch/collector.yml");

    @Option(names = "--check", description = "Reads configuration and rules, says what is wrong with them, and ends.")
    private boolean checkOnly;

    public static void main(String[] arguments) {
        if (System.getProperty("logback.configurationFile") == null) {
            System.setProperty("logback.configurationFile", "io/fairwatch/collector/logback.xml");
        }
        System.exit(new CommandLine(new Main()).execute(arguments));
    }

    @Override
    public Integer call() throws Exception {
        Setup setup;
        try {
            setup = read(configFile);
        } catch (ConfigException wrong) {
            System.err.println(wrong.getMessage());
            return 2;
        }
        if (checkOnly) {
            System.out.println(configFile + ": good; " + setup.rules().rules().size() + " rules");
            return 0;
        }
        Path directory = setup.config().store().directory();
        CountDownLatch closed = new CountDownLatch(1);
        try (DuckDbStore store = DuckDbStore.open(directory, storeSettings(setup.config()))) {
            RuleWatch rules = new RuleWatch(configFile, setup.config().rules().directory(), setup.rules());
            return run(setup, rules, store, closed);
        } catch (StoreException e) {
            log().error("the store in {} cannot be used: {}", directory, e.getMessage());
            return 1;
        } finally {
            closed.countDown();
        }
    }

    /** The file that {@code --config} names. */
    Path configFile() {
        return configFile;
    }

    /** The one clock; everybody else is given it. */
    static InstantSource clock() {
        return Clock.systemUTC();
    }

    /** What the files say. */
    private record Setup(
            CollectorConfig config,
            RuleSet rules,
            Optional<String> token,
            People people,
            Optional<AnswerLinks> links,
            Optional<String> staffToken,
            Optional<String> bounceToken,
            Optional<AccessTokens> tokens) {}

    /** Reads the configuration, then every file that it names, and tells all problems of those together. */
    private static Setup read(Path file) throws ConfigException {
        CollectorConfig config = ConfigFile.read(file, CollectorConfig.class);
        List<String> problems = new ArrayList<>();
        Optional<String> token = secret(config.ingest().tokenFile(), problems);
        secret(config.mail().passwordFile(), problems);
        Stream.of(
                        config.listen().certificateFile(),
                        config.listen().keyFile(),
                        config.mail().caFile())
                .flatMap(Optional::stream)
                .filter(named -> !Files.isReadable(named))
                .forEach(named -> problems.add(named + ": cannot be read"));
        Optional<RuleSet> rules = Optional.empty();
        try {
            rules = Optional.of(RuleFiles.read(
                    config.rules().directory(),
                    new Overrides(file + ": rules.settings", config.rules().settings())));
        } catch (RuleException wrong) {
            wrong.problems().forEach(problem -> problems.add(problem.toString()));
        } catch (IOException | UncheckedIOException unreadable) {
            problems.add("rules cannot be read: " + unreadable);
        }
        People people = People.read(config, problems);
        Optional<AnswerLinks> links = links(config, problems);
        Optional<String> staffToken = secret(config.answers().staffTokenFile(), problems);
        Optional<String> bounceToken = secret(config.mail().bounces().tokenFile(), problems);
        if (rules.isPresent()) {
            problems.addAll(config.enforcement()
                    .problems(rules.get(), config.escalation().ladder()));
        }
        Optional<AccessTokens> tokens = tokens(config, problems);
        if (rules.isEmpty() || !problems.isEmpty()) {
            throw new ConfigException(problems);
        }
        return new Setup(config, rules.get(), token, people, links, staffToken, bounceToken, tokens);
    }

    /** What signs the tokens of people. */
    static Optional<AccessTokens> tokens(CollectorConfig config, List<String> problems) {
        Optional<String> secret = secret(config.access().secretFile(), problems);
        try {
            return secret.map(AccessTokens::new);
        } catch (IllegalArgumentException weak) {
            problems.add("access.secretFile: " + weak.getMessage());
            return Optional.empty();
        }
    }

    private static Optional<AnswerLinks> links(CollectorConfig config, List<String> problems) {
        Optional<String> secret = secret(config.answers().secretFile(), problems);
        if (secret.isEmpty()) {
            return Optional.empty();
        }
        if (config.site().url().isEmpty()) {
            problems.add("answers.secretFile: comes without site.url (expected: where the links of mails lead)");
            return Optional.empty();
        }
        try {
            return Optional.of(new AnswerLinks(
                    secret.get(), config.site().url().get(), config.answers().validFor()));
        } catch (IllegalArgumentException weak) {
            problems.add("answers.secretFile: " + weak.getMessage());
            return Optional.empty();
        }
    }

    private static int run(Setup setup, RuleWatch rules, DuckDbStore opened, CountDownLatch closed) throws Exception {
        CollectorConfig config = setup.config();
        Optional<String> token = setup.token();
        CountDownLatch end = new CountDownLatch(1);
        InstantSource clock = clock();
        ZoneId zone = config.site().zoneId();
        Duration staleAfter = config.slurm().staleAfter();
        double busyAbove = config.rules().busyAboveRatio();
        CollectorMetrics metrics = new CollectorMetrics(clock);
        MeterRegistry meters = metrics.registry();
        Store store = TimedStore.of(opened, meters);
        Vertx vertx = Vertx.vertx(new VertxOptions()
                .setFileSystemOptions(
                        new FileSystemOptions().setFileCachingEnabled(false).setClassPathResolvingEnabled(false)));

        // what nodes send, and what Slurm says
        IngestHandler.Settings limits = IngestHandler.Settings.DEFAULTS;
        LiveUse use = new LiveUse(busyAbove);
        LiveRuns runs = new LiveRuns(busyAbove);
        Journal journal = journal(config.store().directory());
        GroupCommit commits = new GroupCommit(store, journal, GroupCommit.Settings.DEFAULTS, meters, batch -> {
            use.take(batch);
            runs.take(batch);
        });
        LiveGpus live = new LiveGpus(clock);
        IngestHandler ingest = new IngestHandler(
                commits,
                new IngestHandler.Settings(token, limits.mostPackedBytes(), limits.mostUnpackedBytes()),
                live::on,
                clock,
                meters);
        GpuTranslation numbers = new GpuTranslation(store, clock);
        SlurmSync slurm =
                new SlurmSync(config.slurm().settings(), store, told -> live.remember(numbers.apply(told)), clock);

        // what is found, and who hears of it
        try (commits;
                SmtpOutbox outbox = new SmtpOutbox(vertx, config.mail().smtp())) {
            Notifier.Recipients recipients = setup.people().recipients(config, store, clock);
            Notifier notifier = notifier(setup, recipients, rules, store, runs, outbox, clock);
            NoticePlanner planner =
                    new NoticePlanner(store, recipients, rule -> window(rules.get(), rule, Optional.empty()), clock);
            Judge.Settings judges = new Judge.Settings(
                    busyAbove, staleAfter, config.escalation().ladder());
            Judge judge = new Judge(store, runs, rules, planner::plan, clock, judges);
            Enforcer.Settings enforcement = config.enforcer();
            Enforcer enforcer = new Enforcer(
                    store,
                    new SlurmDeeds(new SlurmControl(config.slurm().settings(), clock), enforcement, clock),
                    planner::news,
                    (rule, run) -> window(rules.get(), rule, Optional.of(run)),
                    enforcement,
                    clock);
            JudgingRound round = new JudgingRound(judge, enforcer, notifier, clock, meters);

            // what people ask
            JobLookup.Settings looks = new JobLookup.Settings(busyAbove, staleAfter);
            JobLookup jobs = new JobLookup(store, clock, looks, runs);
            HoldLookup holds = new HoldLookup(store, clock, use);
            ReportMaker reports = new ReportMaker(
                    store,
                    config.report().settings(busyAbove),
                    new ReportMaker.Site(config.site().name(), zone, Version.text(), () -> inForce(rules.get())));
            UpkeepRound upkeep = new UpkeepRound(store, busyAbove, clock);
            Every keeping = new Every(vertx, "upkeep", UpkeepRound.EVERY, upkeep::run);
            boolean asksSlurm = config.slurm().enabled();
            HealthCheck health = new HealthCheck(
                    store,
                    clock,
                    asksSlurm ? Optional.of(staleAfter) : Optional.empty(),
                    slurm::keepsAccounting,
                    Version.text(),
                    () -> Stream.of(
                                    opened.trouble().stream(),
                                    commits.trouble().stream(),
                                    keeping.failure().map(why -> "Upkeep of the store fails: " + why).stream(),
                                    (asksSlurm ? troubles(slurm, round, rules) : List.<String>of()).stream())
                            .flatMap(Function.identity())
                            .toList());

            Access access = new Access(
                    config.access().settings(setup.tokens(), setup.staffToken()),
                    new Owners(store),
                    (staff, question) -> recordLook(store, clock, staff, question),
                    clock);
            Router router = Router.router(vertx);
            ingest.mount(router);
            List<Described> others = answers(setup, vertx, store, planner, clock, router);
            new Api(
                            vertx,
                            jobs,
                            new JobList(store, holds),
                            new SeriesLookup(store, clock),
                            new NodeLookup(store, clock),
                            holds,
                            new UserLookup(store, holds),
                            new FindingList(store, clock),
                            new ScratchLookup(store, clock),
                            reports,
                            health,
                            zone,
                            clock,
                            busyAbove,
                            meters,
                            new RuleRoutes(new Explainer(store, rules, clock, judges), zone),
                            others)
                    .mount(router, access);
            access.guard(router, vertx); // what is mounted after it
            ReportDesk desk = new ReportDesk(reports, clock);
            new ReportPages(
                            vertx,
                            desk,
                            asksSlurm
                                    ? Optional.of(new AccountingCheck(
                                            store,
                                            new SlurmCommand(config.slurm().settings()),
                                            clock))
                                    : Optional.empty(),
                            zone,
                            clock)
                    .mount(router);
            new BacktestRoute(vertx, new Backtest(store, rules, busyAbove), zone, clock).mount(router);
            Optional<SlurmSync> asked = asksSlurm ? Optional.of(slurm) : Optional.empty();
            router.get("/metrics").handler(context -> vertx.executeBlocking(
                            () -> metrics.scrape(
                                    store,
                                    asked,
                                    config.store().directory(),
                                    CollectorMetrics.mostNodes(context.request().getParam("nodes"))),
                            false)
                    .onSuccess(page -> context.response()
                            .putHeader("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                            .end(page))
                    .onFailure(context::fail));

            Every sync = new Every(vertx, "slurm", config.slurm().every(), metrics.slurmRound(slurm));
            HistoryRound past = new HistoryRound(
                    new HistoryImport(config.slurm().settings(), store, clock),
                    store,
                    config.store().directory(),
                    config.slurm().history(),
                    clock);
            Every history = new Every(vertx, "history", Duration.ofSeconds(2), past::run);
            Every judging = new Every(vertx, "judge", config.rules().every(), 20, () -> {
                rules.look();
                return round.run();
            });
            Every following = new Every(
                    vertx, "live", Duration.ofSeconds(5), () -> runs.follow(store, store.liveRuns(), clock.instant()));
            ReportPost post = new ReportPost(
                    store,
                    desk,
                    new Post(store, outbox, config.mail().mode(), config.mail().redirectAllTo(), clock),
                    config.report().mail().settings(),
                    zone,
                    clock);
            Every posting = new Every(vertx, "report-mail", Duration.ofMinutes(10), post::run);
            ChoreRound copies = new ChoreRound(opened, config.store().directory(), clock);
            Every copying = new Every(vertx, "copy", Duration.ofSeconds(1), copies::run);
            try {
                vertx.createHttpServer(serverOptions(config))
                        .requestHandler(router)
                        .listen()
                        .toCompletionStage()
                        .toCompletableFuture()
                        .get(30, TimeUnit.SECONDS);
            } catch (ExecutionException e) {
                log().error(
                                "cannot listen on {}:{}: {}",
                                config.listen().address(),
                                config.listen().port(),
                                String.valueOf(e.getCause()));
                vertx.close();
                return 1;
            }
            log().info(
                            "collector version={} listens on {}:{} rules={} mail={}",
                            Version.text(),
                            config.listen().address(),
                            config.listen().port(),
                            rules.get().rules().stream().map(Rule::name).toList(),
                            config.mail().mode());
            Runtime.getRuntime()
                    .addShutdownHook(new Thread(() -> endInOrder(
                            List.of(sync, history, judging, posting, keeping, following, copying), end, closed)));
            recall(vertx, use, store, clock);
            keeping.start();
            posting.start();
            following.start();
            copying.start();
            if (asksSlurm) {
                sync.start();
                history.start();
                judging.start();
            }
            end.await();
        }
        return 0;
    }

    private static Journal journal(Path directory) throws StoreException {
        try {
            return Journal.open(directory);
        } catch (IOException e) {
            throw new StoreException("its journal: " + e, e);
        }
    }

    /** Rules that judge, for reports: a report says by which thresholds people were told. */
    private static List<ReportMaker.RuleInForce> inForce(RuleSet rules) {
        return rules.rules().stream()
                .filter(Rule::enabled)
                .map(rule -> new ReportMaker.RuleInForce(
                        rule.name(),
                        rule.description(),
                        Stream.concat(
                                        Stream.of("window="
                                                + Plain.duration(rule.timing().window())),
                                        rule.parameters().entrySet().stream()
                                                .map(entry -> entry.getKey() + "=" + entry.getValue()))
                                .collect(Collectors.joining(", "))))
                .toList();
    }

    /** What staff look at is in the audit trail; a look that cannot be written down is answered all the same, and logged. */
    private static void recordLook(Store store, InstantSource clock, String staff, String question) {
        try {
            store.saveDecisions(new Store.Decisions(
                    List.of(),
                    List.of(),
                    List.of(),
                    List.of(new AuditEntry(
                            UUID.randomUUID().toString(),
                            clock.instant(),
                            "staff " + staff,
                            "look",
                            AuditEntry.Outcome.NOTED,
                            Optional.empty(),
                            Optional.empty(),
                            "",
                            question,
                            "{}"))));
        } catch (StoreException e) {
            log().warn("what staff looked at could not be written down staff={} question={}", staff, question, e);
        }
    }

    /** Beside everything else, because a large cluster's last day takes a while to read. */
    private static void recall(Vertx vertx, LiveUse use, Store store, InstantSource clock) {
        long began = System.nanoTime();
        vertx.<Boolean>executeBlocking(
                        () -> {
                            use.rebuild(store, clock.instant());
                            return true;
                        },
                        false)
                .onSuccess(done -> log().info(
                                "what GPUs did in the last day is known ms={}",
                                TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began)))
                .onFailure(e -> log().warn("idle GPUs are known only from now on", e));
    }

    /** No new rounds, then the main thread closes what it opened, the store last; the machine may stop us after that. */
    private static void endInOrder(List<Every> rounds, CountDownLatch end, CountDownLatch closed) {
        rounds.forEach(Every::stop);
        end.countDown();
        try {
            if (!closed.await(20, TimeUnit.SECONDS)) {
                log().warn("ended before everything was closed; nothing that was acknowledged is lost");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Made late, so that {@link #main} can say first how to log. */
    private static Logger log() {
        return LoggerFactory.getLogger(Main.class);
    }

    private static List<String> troubles(SlurmSync slurm, JudgingRound round, RuleWatch rules) {
        List<String> troubles = new ArrayList<>(round.troubles());
        troubles.addAll(rules.troubles());
        Map<String, SlurmSync.Part> parts = new LinkedHashMap<>();
        parts.put("squeue", slurm.status().jobs());
        parts.put("sinfo", slurm.status().nodes());
        parts.put("sacct", slurm.status().accounting());
        parts.put("sacctmgr", slurm.status().accounts());
        parts.forEach((name, part) -> {
            part.failure()
                    .ifPresent(failure -> troubles.add(
                            "Slurm's " + name + " fails since " + failure.since() + ": " + failure.message()));
            part.problems().forEach(problem -> troubles.add("Slurm's " + name + ": " + problem));
        });
        troubles.addAll(slurm.status().missingRights());
        return troubles;
    }

    /** The first line of a file that holds a secret. */
    private static Optional<String> secret(Optional<Path> file, List<String> problems) {
        if (file.isEmpty()) {
            return Optional.empty();
        }
        try (Stream<String> lines = Files.lines(file.get())) {
            String first = lines.findFirst().orElse("").strip();
            if (!first.isEmpty()) {
                return Optional.of(first);
            }
            problems.add(file.get() + ": empty (expected: a secret in its first line)");
        } catch (IOException | UncheckedIOException e) {
            problems.add(file.get() + ": cannot be read: " + e);
        }
        return Optional.empty();
    }

    /** Where owners can answer: a mail that somebody else gets in their place has no link, for it would speak in their name. */
    static MatterSource.Answers answers(CollectorConfig config, Optional<AnswerLinks> links) {
        Optional<AnswerLinks> owners =
                links.filter(any -> config.mail().redirectAllTo().isEmpty());
        return (finding, now) -> owners.map(its -> answering(its, finding, now));
    }

    private static Matter.Answering answering(AnswerLinks links, FindingRow finding, Instant now) {
        AnswerLinks.Claim claim = links.claim(finding.subject(), finding.rule(), finding.since(), finding.user(), now);
        return new Matter.Answering(links.link(claim), claim.expires());
    }

    /**
     * What owners say by links, what staff say, and what mail servers say. Returns what is served beside the API, for the
     * description of it.
     */
    private static List<Described> answers(
            Setup setup, Vertx vertx, Store store, NoticePlanner planner, InstantSource clock, Router router) {
        CollectorConfig config = setup.config();
        Answers.Settings settings = config.answering();
        Answers answers = new Answers(store, planner::news, settings, clock);
        setup.links().ifPresent(links -> new AnswerPages(
                        vertx,
                        links,
                        answers,
                        settings,
                        setup.people().languages(),
                        new AnswerPages.Site(config.site().name(), config.site().support()),
                        clock)
                .mount(router));
        ZoneId zone = config.site().zoneId();
        Duration remember = config.mail().bounces().remember();
        StaffApi staff = new StaffApi(
                vertx, answers, new StaffNotices(store, remember, zone, clock), setup.staffToken(), zone, clock);
        staff.mount(router);
        new BounceRoute(vertx, store, setup.bounceToken(), remember, clock).mount(router);
        return Stream.of(
                        staff.described(),
                        List.of(BounceRoute.described(), BacktestRoute.described(), IngestHandler.described()),
                        ReportPages.described())
                .flatMap(List::stream)
                .toList();
    }

    private static Duration window(RuleSet rules, String name, Optional<Run> run) {
        return rule(rules, name, run).map(rule -> rule.timing().window()).orElse(RuleInfo.UNKNOWN.window());
    }

    /** A rule with the settings that hold for a run. */
    private static Optional<Rule> rule(RuleSet rules, String name, Optional<Run> run) {
        Map<Rule.Match.Of, String> its = new EnumMap<>(Rule.Match.Of.class);
        run.ifPresent(one -> {
            its.put(Rule.Match.Of.PARTITIONS, one.owner().partition());
            its.put(Rule.Match.Of.ACCOUNTS, one.owner().account());
            its.put(Rule.Match.Of.QOS, one.owner().qos());
            one.gpuModel().ifPresent(model -> its.put(Rule.Match.Of.GPU_MODELS, model));
        });
        return rules.rules().stream()
                .filter(rule -> rule.name().equals(name))
                .findFirst()
                .map(rule -> rule.effective(its));
    }

    /** What letters say of a rule, as it is in force. */
    private static RuleInfo info(
            RuleSet rules, CollectorConfig config, Enforcer.Settings enforcement, String name, Optional<Run> run) {
        return rule(rules, name, run)
                .map(rule -> {
                    Ladder ladder = rule.escalation().orElse(config.escalation().ladder());
                    return new RuleInfo(
                            rule.timing().window(),
                            config.people().weekly().contains(rule.severity()),
                            ladder.steps().stream()
                                    .map(step -> new RuleInfo.Step(
                                            step.target().isDeed()
                                                            && enforcement.modeOf(rule.name()) == Enforcer.Mode.ACT
                                                    ? Optional.of(
                                                            step.target().name().toLowerCase(Locale.ROOT))
                                                    : Optional.empty(),
                                            step.after()))
                                    .toList());
                })
                .orElse(RuleInfo.UNKNOWN);
    }

    private static Notifier notifier(
            Setup setup,
            Notifier.Recipients recipients,
            RuleWatch rules,
            Store store,
            LiveRuns live,
            SmtpOutbox outbox,
            InstantSource clock) {
        CollectorConfig config = setup.config();
        People people = setup.people();
        Enforcer.Settings enforcement = config.enforcer();
        return new Notifier(
                store,
                outbox,
                recipients,
                new MatterSource(
                        store,
                        (rule, run) -> info(rules.get(), config, enforcement, rule, run),
                        answers(config, setup.links()),
                        config.rules().busyAboveRatio(),
                        live,
                        clock),
                new LetterWriter(
                        new LetterWriter.Site(
                                config.site().name(),
                                config.site().support(),
                                config.site().url()),
                        people.languages()),
                config.mail()
                        .notifier(
                                config.slurm().staleAfter(),
                                config.people()
                                        .quiet()
                                        .quietTime(
                                                people.holidays(), config.site().zoneId())),
                clock);
    }

    static DuckDbStore.Settings storeSettings(CollectorConfig config) {
        DuckDbStore.Settings defaults = DuckDbStore.Settings.DEFAULTS;
        return new DuckDbStore.Settings(
                defaults.threads(),
                (int) (config.store().memory().bytes() >> 20),
                defaults.checkpointMib(),
                defaults.queryTimeout(),
                config.store().keep(),
                config.rules().busyAboveRatio(),
                (int) (config.store().leastFree().bytes() >> 20));
    }

    private static HttpServerOptions serverOptions(CollectorConfig config) {
        CollectorConfig.Listen listen = config.listen();
        HttpServerOptions options =
                new HttpServerOptions().setHost(listen.address()).setPort(listen.port());
        if (listen.certificateFile().isPresent() && listen.keyFile().isPresent()) {
            options.setSsl(true)
                    .setKeyCertOptions(new PemKeyCertOptions()
                            .setCertPath(listen.certificateFile().get().toString())
                            .setKeyPath(listen.keyFile().get().toString()));
        }
        return options;
    }

    /** What this jar was built as. */
    static final class Version implements IVersionProvider {
        static String text() {
            String version = Main.class.getPackage().getImplementationVersion();
            return version == null ? "unreleased" : version;
        }

        @Override
        public String[] getVersion() {
            return new String[] {"fairwatch-collector " + text()};
        }
    }
}
