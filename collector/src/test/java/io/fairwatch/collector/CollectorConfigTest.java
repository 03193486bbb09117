package io.fairwatch.collector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.config.ConfigFile;
import io.fairwatch.agent.config.ConfigFile.ConfigException;
import io.fairwatch.agent.config.ConfigFile.Size;
import io.fairwatch.collector.answer.AnswerLinks;
import io.fairwatch.collector.answer.Answers;
import io.fairwatch.collector.enforce.Enforcer;
import io.fairwatch.collector.lookup.Samples;
import io.fairwatch.collector.notice.Notifier;
import io.fairwatch.collector.notice.SmtpOutbox;
import io.fairwatch.collector.report.ReportPost;
import io.fairwatch.collector.report.ReportSettings;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.slurm.SlurmSettings;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.rules.Ladder;
import io.fairwatch.rules.Rule;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneId;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CollectorConfigTest {
    private static final Path EXAMPLE = Path.of("../deploy/collector.example.yml");

    private static CollectorConfig parse(String yaml) throws ConfigException {
        return ConfigFile.parse("collector.yml", yaml, CollectorConfig.class);
    }

    private static List<String> problems(String yaml) {
        return assertThrows(ConfigException.class, () -> parse(yaml)).problems();
    }

    @Test
    @DisplayName("the defaults are these")
    void defaults() throws Exception {
        assertEquals(
                new CollectorConfig(
                        new CollectorConfig.Listen("0.0.0.0", 7480, Optional.empty(), Optional.empty()),
                        new CollectorConfig.Ingest(Optional.empty()),
                        new CollectorConfig.Keep(
                                Path.of("/var/lib/fairwatch-collector"),
                                new Size(512 << 20),
                                new Size(256 << 20),
                                Duration.ofDays(14),
                                Duration.ofDays(730),
                                Map.of()),
                        new CollectorConfig.Slurm(
                                true,
                                Optional.empty(),
                                List.of(),
                                Optional.empty(),
                                Optional.empty(),
                                Duration.ofSeconds(15),
                                Duration.ofSeconds(60),
                                Duration.ofSeconds(30),
                                new Size(256 << 20),
                                Duration.ofDays(30),
                                Optional.empty()),
                        new CollectorConfig.Rules(Optional.empty(), Duration.ofSeconds(60), 0.01, Map.of()),
                        new CollectorConfig.Escalation(List.of(), List.of(), Optional.empty()),
                        new EnforcementConfig(
                                Enforcer.Mode.OFF,
                                List.of(),
                                false,
                                10,
                                3,
                                Path.of("/etc/fairwatch/enforcement-off"),
                                0.9,
                                Duration.ofHours(1),
                                Optional.empty()),
                        new AnswersConfig(Optional.empty(), Duration.ofDays(7), 3, Optional.empty()),
                        new AccessConfig(
                                AccessConfig.Mode.OPEN, true, Path.of("/usr/bin/unmunge"), Optional.empty(), List.of()),
                        new CollectorConfig.Mail(
                                Notifier.Mode.RECORD,
                                "localhost",
                                25,
                                SmtpOutbox.StartTls.OPTIONAL,
                                Optional.empty(),
                                Optional.empty(),
                                Optional.empty(),
                                "fairwatch@localhost.localdomain",
                                Optional.empty(),
                                Duration.ofSeconds(30),
                                Optional.empty(),
                                Optional.empty(),
                                10,
                                Duration.ofMinutes(1),
                                Duration.ofHours(1),
                                new CollectorConfig.Bounces(
                                        Optional.empty(), Optional.empty(), 2, Duration.ofDays(30))),
                        new PeopleConfig(
                                "en",
                                Optional.empty(),
                                Optional.empty(),
                                Optional.empty(),
                                true,
                                List.of(),
                                new PeopleConfig.Quiet(
                                        "00:00", "00:00", List.of(), Optional.empty(), PeopleConfig.Day.MON)),
                        new CollectorConfig.Reporting(
                                CollectorConfig.Reporting.Calendar.AALBORG,
                                Map.of(),
                                Map.of(),
                                Map.of(),
                                ReportSettings.Tree.NONE,
                                Map.of(),
                                ReportSettings.People.NAMES,
                                Optional.empty(),
                                Optional.empty(),
                                "1cpu",
                                Duration.ofDays(90),
                                new CollectorConfig.Reporting.Mailing(
                                        List.of(), List.of(), "en", List.of(), Duration.ofDays(1))),
                        new CollectorConfig.Site(
                                "the cluster", "root@localhost.localdomain", Optional.empty(), Optional.empty())),
                parse(""));
    }

    @Test
    @DisplayName("every key reaches its place")
    void everyKey() throws Exception {
        assertEquals(
                new CollectorConfig(
                        new CollectorConfig.Listen(
                                "127.0.0.1", 8443, Optional.of(Path.of("/c.crt")), Optional.of(Path.of("/c.key"))),
                        new CollectorConfig.Ingest(Optional.of(Path.of("/token"))),
                        new CollectorConfig.Keep(
                                Path.of("/data"),
                                new Size(1 << 30),
                                new Size(1 << 20),
                                Duration.ofDays(7),
                                Duration.ofDays(365),
                                Map.of("user_reading", Duration.ofDays(3))),
                        new CollectorConfig.Slurm(
                                false,
                                Optional.of(Path.of("/opt/slurm/bin")),
                                List.of("runuser", "-u", "fairwatch", "--"),
                                Optional.of(Path.of("/slurm.conf")),
                                Optional.of("aicloud"),
                                Duration.ofSeconds(5),
                                Duration.ofMinutes(2),
                                Duration.ofSeconds(20),
                                new Size(64 << 20),
                                Duration.ofDays(90),
                                Optional.of(new CollectorConfig.Slurm.Rest(
                                        URI.create("http://localhost:6820"),
                                        "gpuwatch",
                                        Path.of("/slurm.token"),
                                        Optional.of("v0.0.40")))),
                        new CollectorConfig.Rules(
                                Optional.of(Path.of("/rules")),
                                Duration.ofSeconds(30),
                                0.05,
                                Map.of(
                                        "idle-gpu",
                                        Map.of(
                                                "window",
                                                "90m",
                                                "enabled",
                                                false,
                                                "memory_held_above_bytes",
                                                5L,
                                                "exempt",
                                                Map.of("qos", List.of("deadline"))))),
                        new CollectorConfig.Escalation(
                                List.of(
                                        new CollectorConfig.EscalationStep(Ladder.Target.OWNER, Duration.ZERO),
                                        new CollectorConfig.EscalationStep(Ladder.Target.CANCEL, Duration.ofHours(2))),
                                List.of("helpdesk@example.org"),
                                Optional.of(new CollectorConfig.Hook(
                                        URI.create("https://hooks.example.org/f"),
                                        Optional.of(Path.of("/hook.secret")),
                                        Duration.ofSeconds(3)))),
                        new EnforcementConfig(
                                Enforcer.Mode.ACT,
                                List.of("idle-gpu"),
                                true,
                                5,
                                2,
                                Path.of("/run/off"),
                                0.95,
                                Duration.ofMinutes(30),
                                Optional.of("low")),
                        new AnswersConfig(
                                Optional.of(Path.of("/answer.secret")),
                                Duration.ofDays(3),
                                1,
                                Optional.of(Path.of("/staff.token"))),
                        new AccessConfig(
                                AccessConfig.Mode.OWN,
                                false,
                                Path.of("/opt/bin/unmunge"),
                                Optional.of(Path.of("/access.secret")),
                                List.of("eva")),
                        new CollectorConfig.Mail(
                                Notifier.Mode.NOTIFY,
                                "smtp.example.org",
                                587,
                                SmtpOutbox.StartTls.REQUIRED,
                                Optional.of(Path.of("/ca.pem")),
                                Optional.of("fairwatch"),
                                Optional.of(Path.of("/smtp.password")),
                                "Fairwatch <fairwatch@example.org>",
                                Optional.of("support@example.org"),
                                Duration.ofSeconds(10),
                                Optional.of("%u@example.org"),
                                Optional.of("me@example.org"),
                                3,
                                Duration.ofMinutes(2),
                                Duration.ofHours(3),
                                new CollectorConfig.Bounces(
                                        Optional.of("bounces@example.org"),
                                        Optional.of(Path.of("/bounce.token")),
                                        4,
                                        Duration.ofDays(10))),
                        new PeopleConfig(
                                "da",
                                Optional.of(Path.of("/texts")),
                                Optional.of(Path.of("/people.yml")),
                                Optional.of(new PeopleConfig.Ldap(
                                        URI.create("ldaps://ldap.example.org"),
                                        false,
                                        Optional.of(Path.of("/ca.pem")),
                                        Optional.of("cn=reader,dc=example,dc=org"),
                                        Optional.of(Path.of("/ldap.password")),
                                        "ou=people,dc=example,dc=org",
                                        "(userPrincipalName=%u)",
                                        "proxyMail",
                                        "givenName",
                                        "lang",
                                        Duration.ofSeconds(2),
                                        Duration.ofHours(4))),
                                false,
                                List.of(Rule.Severity.INFO),
                                new PeopleConfig.Quiet(
                                        "19:00",
                                        "07:30",
                                        List.of(PeopleConfig.Day.TUE, PeopleConfig.Day.WED),
                                        Optional.of(Path.of("/holidays")),
                                        PeopleConfig.Day.WED)),
                        new CollectorConfig.Reporting(
                                CollectorConfig.Reporting.Calendar.HALF_YEARS,
                                Map.of("winter", new CollectorConfig.Reporting.Semester("10-15", "03-01")),
                                Map.of("Technology", List.of("cs", "es")),
                                Map.of("cs", List.of("cs", "cs.*")),
                                ReportSettings.Tree.FACULTIES,
                                Map.of("DGX-2", List.of("nv-ai-0*")),
                                ReportSettings.People.PSEUDONYMS,
                                Optional.of(82.5),
                                Optional.of("by the grid"),
                                "small",
                                Duration.ofDays(30),
                                new CollectorConfig.Reporting.Mailing(
                                        List.of("head@aau.dk", "support@its.aau.dk"),
                                        List.of(ReportPost.When.SEMESTER, ReportPost.When.MONTH),
                                        "da",
                                        List.of(ReportPost.Format.PDF, ReportPost.Format.ZIP),
                                        Duration.ofHours(36))),
                        new CollectorConfig.Site(
                                "AI Cloud",
                                "support@its.aau.dk",
                                Optional.of(URI.create("https://fairwatch.example.org")),
                                Optional.of("Europe/Copenhagen"))),
                parse("""
                        listen: {address: 127.0.0.1, port: 8443, certificateFile: /c.crt, keyFile: /c.key}
                        ingest: {tokenFile: /token}
                        store:
                          directory: /data
                          memory: 1GiB
                          leastFree: 1MiB
                          keepReadings: 7d
                          keepRollups: 365d
                          keepTables: {user_reading: 3d}
                        slurm:
                          enabled: false
                          binaries: /opt/slurm/bin
                          prefix: [runuser, -u, fairwatch, --]
                          slurmConf: /slurm.conf
                          cluster: aicloud
                          rest: {url: 'http://localhost:6820', user: gpuwatch, tokenFile: /slurm.token, version: v0.0.40}
                          every: 5s
                          accountingEvery: 2m
                          timeout: 20s
                          maxOutput: 64MiB
                          history: 90d
                        rules:
                          directory: /rules
                          every: 30s
                          busyAboveRatio: 0.05
                          settings:
                            idle-gpu:
                              window: 90m
                              enabled: false
                              memory_held_above_bytes: 5
                              exempt: {qos: [deadline]}
                        escalation:
                          steps:
                            - {step: owner}
                            - {step: cancel, after: 2h}
                          staff: [helpdesk@example.org]
                          webhook: {url: "https://hooks.example.org/f", secretFile: /hook.secret, timeout: 3s}
                        enforcement:
                          mode: act
                          rules: [idle-gpu]
                          stopByOwner: true
                          mostPerHour: 5
                          mostPerUser: 2
                          switchFile: /run/off
                          minimumCoverage: 0.95
                          shortenTo: 30m
                          lowQos: low
                        answers: {secretFile: /answer.secret, validFor: 3d, mostTimes: 1, staffTokenFile: /staff.token}
                        access: {mode: own, munge: false, unmunge: /opt/bin/unmunge, secretFile: /access.secret, staff: [eva]}
                        people:
                          language: da
                          texts: /texts
                          file: /people.yml
                          ldap:
                            url: ldaps://ldap.example.org
                            startTls: false
                            caFile: /ca.pem
                            bindDn: cn=reader,dc=example,dc=org
                            passwordFile: /ldap.password
                            baseDn: ou=people,dc=example,dc=org
                            filter: (userPrincipalName=%u)
                            mail: proxyMail
                            name: givenName
                            preferredLanguage: lang
                            timeout: 2s
                            keep: 4h
                          gecos: false
                          weekly: [info]
                          quiet: {from: "19:00", to: "07:30", workDays: [tue, wed], holidaysFile: /holidays, weeklyDay: wed}
                        mail:
                          mode: notify
                          host: smtp.example.org
                          port: 587
                          startTls: required
                          caFile: /ca.pem
                          username: fairwatch
                          passwordFile: /smtp.password
                          from: Fairwatch <fairwatch@example.org>
                          replyTo: support@example.org
                          timeout: 10s
                          userTemplate: "%u@example.org"
                          redirectAllTo: me@example.org
                          mostPerDay: 3
                          retryFirst: 2m
                          retryMost: 3h
                          bounces: {address: bounces@example.org, tokenFile: /bounce.token, stopAfter: 4, remember: 10d}
                        report:
                          calendar: half_years
                          semesters: {winter: {from: 10-15, to: 03-01}}
                          faculties: {Technology: [cs, es]}
                          departments: {cs: [cs, cs.*]}
                          nodeGroups: {DGX-2: [nv-ai-0*]}
                          people: pseudonyms
                          co2GramsPerKwh: 82.5
                          co2Source: by the grid
                          smallQos: small
                          untouched: 30d
                          accountTree: faculties
                          mail:
                            to: [head@aau.dk, support@its.aau.dk]
                            every: [semester, month]
                            language: da
                            formats: [pdf, zip]
                            after: 36h
                        site:
                          name: AI Cloud
                          support: support@its.aau.dk
                          url: https://fairwatch.example.org
                          zone: Europe/Copenhagen
                        """));
    }

    @Test
    @DisplayName("the example file says what the defaults are")
    void example() throws Exception {
        assertEquals(parse(""), ConfigFile.read(EXAMPLE, CollectorConfig.class));
    }

    @Test
    @DisplayName("what the example file leaves commented out fits too")
    void exampleComments() throws Exception {
        String uncommented = Files.readAllLines(EXAMPLE).stream()
                .map(line -> line.replaceFirst("^( +)# ([a-zA-Z]+: [^ ].*)$", "$1$2"))
                .filter(line -> !line.contains("caFile: authorities") && !line.contains("record: everything"))
                .map(line -> line.replace("cluster: the ClusterName; asked from Slurm without the key", "cluster: lab"))
                .map(line -> line.replace("startTls: optional", "startTls: required"))
                .collect(Collectors.joining("\n"));
        CollectorConfig config = parse(uncommented);
        assertEquals(Optional.of("fairwatch"), config.mail().username());
        assertEquals(Optional.of("%u@example.org"), config.mail().userTemplate());
        assertEquals(List.of("runuser", "-u", "fairwatch", "--"), config.slurm().prefix());
        assertEquals(ZoneId.of("Europe/Copenhagen"), config.site().zoneId());
    }

    @Test
    @DisplayName("Slurm is asked as the configuration says")
    void slurm() throws Exception {
        assertEquals(SlurmSettings.DEFAULTS, parse("").slurm().settings());
        assertEquals(Duration.ofSeconds(75), parse("").slurm().staleAfter());
    }

    @Test
    @DisplayName("in a rehearsal no owner's link ends a job, and its page promises no end")
    void rehearsalEndsNothing() throws Exception {
        String stops = "enforcement: {stopByOwner: true}\n";
        CollectorConfig on = parse(stops + "mail: {mode: notify}");
        assertTrue(on.enforcer().stopByOwner());
        assertEquals(Answers.Stop.ENDS, on.answering().stop());
        for (String rehearsal : List.of("{mode: record}", "{mode: notify, redirectAllTo: me@example.org}")) {
            CollectorConfig rehearses = parse(stops + "mail: " + rehearsal);
            assertTrue(rehearses.enforcer().rehearsal(), rehearsal);
            assertFalse(rehearses.enforcer().stopByOwner(), rehearsal);
            assertEquals(Answers.Stop.NOT_ASKED, rehearses.answering().stop(), rehearsal);
        }
    }

    @Test
    @DisplayName("a mail that goes to one address in place of its owner has no link to answer by")
    void redirectedHasNoLink() throws Exception {
        Optional<AnswerLinks> links = Optional.of(new AnswerLinks(
                "0123456789abcdef0123456789abcdef", URI.create("https://fairwatch.example.org"), Duration.ofDays(7)));
        FindingRow finding = new FindingRow(
                new RunKey("lab", 83549, Samples.NOON),
                "idle-gpu",
                Samples.NOON,
                FindingRow.State.FOUND,
                Samples.NOW,
                Optional.empty(),
                Optional.empty(),
                "anna",
                "It is so.",
                "Change it.",
                "{}",
                FindingRow.Progress.NONE);
        assertTrue(Main.answers(parse("mail: {mode: notify}"), links)
                .of(finding, Samples.NOW)
                .isPresent());
        assertEquals(
                Optional.empty(),
                Main.answers(parse("mail: {mode: notify, redirectAllTo: me@example.org}"), links)
                        .of(finding, Samples.NOW));
    }

    @Test
    @DisplayName("wrong values are told together, each with its line")
    void problems() {
        assertEquals(
                List.of(
                        "collector.yml:2: listen.prot: unknown key (expected: address, port, certificateFile, keyFile)",
                        "collector.yml:3: listen.port: 70000 (expected: from 1 to 65535)",
                        "collector.yml:4: store.memory: lots (expected: a size such as 64KiB, 256MiB or 1GB)",
                        "collector.yml:6: slurm.enabled: yes (expected: true or false)",
                        "collector.yml:7: slurm.prefix: runuser (expected: a list)",
                        "collector.yml:8: slurm.every: 15 (expected: a duration such as 30s, 5m, 6h or 2d)",
                        "collector.yml:10: mail.mode: send (expected: record, notify)",
                        "collector.yml:12: site.zone: Europe/Kopenhagen (expected: a name such as Europe/Copenhagen)"),
                problems("""
                        listen:
                          prot: 7480
                          port: 70000
                        store: {memory: lots}
                        slurm:
                          enabled: "yes"
                          prefix: runuser
                          every: 15
                        mail:
                          mode: send
                        site:
                          zone: Europe/Kopenhagen
                        """));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "from: fairwatch | 2: mail.from: fairwatch (expected: an address, or name <address>)",
                "replyTo: a b@c.dk | 2: mail.replyTo: a b@c.dk (expected: an address)",
                "redirectAllTo: me | 2: mail.redirectAllTo: me (expected: an address)",
                "userTemplate: example.org | 2: mail.userTemplate: example.org (expected: e.g. %u@example.org)",
                "username: x | 2: mail.username: comes alone (expected: username and passwordFile, or neither)",
                "passwordFile: /x | 2: mail.passwordFile: comes alone (expected: username and passwordFile, or neither)",
                "retryFirst: 2h | 2: mail.retryFirst: PT2H (expected: more than 0 and at most retryMost PT1H)",
            })
    @DisplayName("what cannot work for mail is refused at its line")
    void mail(String line, String problem) {
        assertEquals(List.of("collector.yml:" + problem), problems("mail:\n  " + line + "\n"));
    }

    @Test
    @DisplayName("a password is never sent in clear")
    void passwordInClear() {
        assertEquals(
                List.of("collector.yml:3: mail.startTls: optional (expected: required, so that the password never goes"
                        + " out in clear)"),
                problems("""
                        mail:
                          username: fairwatch
                          startTls: optional
                          passwordFile: /x
                        """));
    }

    @Test
    @DisplayName("a certificate comes with its key")
    void certificateAlone() {
        assertEquals(
                List.of("collector.yml:2: listen.certificateFile: comes without keyFile, or the other way round"
                        + " (expected: both or none)"),
                problems("listen:\n  certificateFile: /c.crt\n"));
    }

    @Test
    @DisplayName("support is an address, because letters name it")
    void support() {
        assertEquals(
                List.of("collector.yml:2: site.support: the helpdesk (expected: an address)"),
                problems("site:\n  support: the helpdesk\n"));
    }

    @Test
    @DisplayName("secrets are in files of their own: no text of the configuration can show one")
    void secrets() throws Exception {
        String shown = parse("""
                        ingest: {tokenFile: /etc/fairwatch/token}
                        mail: {username: fairwatch, passwordFile: /etc/fairwatch/smtp.password, startTls: required}
                        """).toString();
        assertFalse(shown.toLowerCase(java.util.Locale.ROOT).contains("password="), shown);
        assertFalse(shown.toLowerCase(java.util.Locale.ROOT).contains("token="), shown);
        assertEquals(
                List.of("collector.yml:1: mail.password: unknown key (expected: mode, host, port, startTls, caFile,"
                        + " username, passwordFile, from, replyTo, timeout, userTemplate, redirectAllTo, mostPerDay,"
                        + " retryFirst, retryMost, bounces)"),
                problems("mail: {password: hunter2}"));
    }
}
