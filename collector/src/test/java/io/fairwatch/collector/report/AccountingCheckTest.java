package io.fairwatch.collector.report;

import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.report.AccountingCheck.Answer;
import io.fairwatch.collector.report.AccountingCheck.Line;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.slurm.FakeSlurm;
import io.fairwatch.collector.slurm.SlurmCommand;
import io.fairwatch.collector.slurm.SreportParser.Utilization;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.GivenRun;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The period is noon to two o'clock; it is half past three. Anna ran one job with 2 GPUs, 4 CPUs and 8 GiB for 1000 s. */
class AccountingCheckTest {
    private static final Period PERIOD = new Period("two hours", at(0), at(7200));
    private static final String ROLLED_UP = "gres/gpu|2000|0|0|12400|14400";

    private final FakeSlurm slurm;
    private final Store store;

    AccountingCheckTest(@TempDir Path directory) throws StoreException {
        this.slurm = new FakeSlurm(directory);
        this.store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
    }

    @BeforeEach
    void given() throws StoreException {
        store.saveView(new SlurmView(at(12_600), "lab", List.of(), List.of(), List.of()));
        store.saveAccountingUntil(at(12_600));
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
    }

    private static GivenRun anna() {
        return job(1).owner("anna@its.aau.dk", "es", "batch", "")
                .until(at(1000))
                .gpus(2)
                .memory(8L << 30);
    }

    private void runs(GivenRun... jobs) throws StoreException {
        List<Run> runs = new ArrayList<>();
        for (GivenRun job : jobs) {
            runs.add(job.run());
        }
        store.saveRuns(runs);
    }

    /** What sreport answers of users, and of the cluster. */
    private void sreport(String users, String cluster) {
        slurm.command(
                "sreport",
                "printf '%s\\n' \"$*\" >> '" + slurm.file("sreport.arguments") + "'",
                "case \"$*\" in",
                "*AccountUtilizationByUser*) cat <<'END'",
                users,
                "END",
                ";;",
                "*) cat <<'END'",
                cluster,
                "END",
                ";;",
                "esac");
    }

    private Answer compare(Period period, Instant now) throws Exception {
        return new AccountingCheck(store, new SlurmCommand(slurm.settings(Duration.ofSeconds(20), 1 << 20)), () -> now)
                .compare(period);
    }

    private Answer compare() throws Exception {
        return compare(PERIOD, at(12_600));
    }

    private static List<String> causes(Answer answer, String resource) {
        return answer.lines().stream()
                .filter(line -> line.resource().equals(resource))
                .findFirst()
                .orElseThrow()
                .causes();
    }

    @Test
    @DisplayName("GPUs, CPUs and memory agree to the second: nothing is to be explained")
    void agrees() throws Exception {
        runs(anna());
        sreport("""
                root||gres/gpu|2000
                es|anna@its.aau.dk|cpu|4000
                es|anna@its.aau.dk|gres/gpu|2000
                es|anna@its.aau.dk|mem|8192000""", ROLLED_UP);
        Answer answer = compare();
        assertEquals(
                List.of(
                        new Line("es", "anna@its.aau.dk", "cpu", 4000, 4000, List.of()),
                        new Line("es", "anna@its.aau.dk", "gres/gpu", 2000, 2000, List.of()),
                        new Line("es", "anna@its.aau.dk", "mem", 8192 * 1000, 8192 * 1000, List.of())),
                answer.lines());
        assertTrue(answer.agrees());
        assertEquals(List.of(new Utilization("gres/gpu", 2000, 0, 0, 12400, 14400)), answer.cluster());
        assertTrue(AccountingCheck.text(answer).endsWith("They agree to the second.\n"));
    }

    @Test
    @DisplayName("sreport is asked for whole hours of the named cluster, without a shell")
    void asked() throws Exception {
        runs(anna());
        sreport("", ROLLED_UP);
        compare(new Period("odd", at(-1), at(7300)), at(12_600));
        List<String> calls = slurm.calls("sreport");
        assertEquals(2, calls.size());
        assertTrue(calls.get(0).contains(" clusters=lab start=") && calls.get(0).contains("-t seconds"), calls.get(0));
        assertEquals(2, calls.get(0).split(":00:00", -1).length - 1, calls.get(0));
    }

    @Test
    @DisplayName("a run that only Fairwatch knows is named as missing in the roll-up")
    void missingThere() throws Exception {
        runs(anna());
        sreport("", ROLLED_UP);
        Answer answer = compare();
        assertFalse(answer.agrees());
        assertEquals(
                List.of("exactly job 1: it is missing in slurmdbd's roll-up, as when it came too late or was purged"),
                causes(answer, "gres/gpu"));
        assertTrue(AccountingCheck.text(answer).endsWith("They differ.\n"));
    }

    @Test
    @DisplayName("when none of somebody's jobs is in the roll-up, that is said of all of them")
    void allMissingThere() throws Exception {
        runs(
                anna(),
                anna().from(at(2000)).until(at(2500)),
                job(3).owner("bob", "es", "batch", "").until(at(9)).gpus(1));
        sreport("es|bob|gres/gpu|9", ROLLED_UP);
        assertEquals(
                List.of(
                        "exactly all their jobs, 2: they are missing in slurmdbd's roll-up, as when they came too late or"
                                + " were purged"),
                causes(compare(), "gres/gpu"));
        sreport("es|anna@its.aau.dk|gres/gpu|7", ROLLED_UP);
        assertTrue(causes(compare(), "gres/gpu").get(0).startsWith("not explained"));
    }

    @Test
    @DisplayName("more in sreport where jobs ran in a reservation is its unused time, and it is named")
    void reservation() throws Exception {
        runs(anna().reservation("course_42"));
        // 2000 s held, and 500 of what the reservation had left
        sreport("es|anna@its.aau.dk|gres/gpu|2500", ROLLED_UP);
        assertEquals(
                List.of(
                        "sreport counts more, and jobs ran in a reservation (course_42): it gives the unused time of one"
                                + " to all who may use it"),
                causes(compare(), "gres/gpu"));
        // it explains nothing that sreport has less of
        sreport("es|anna@its.aau.dk|gres/gpu|1500", ROLLED_UP);
        assertTrue(causes(compare(), "gres/gpu").get(0).startsWith("not explained"));
    }

    @Test
    @DisplayName("a reservation is named also where a job has no end yet")
    void reservationBesideLive() throws Exception {
        runs(
                anna().reservation("course_42"),
                job(2).owner("anna@its.aau.dk", "es", "batch", "")
                        .from(at(1000))
                        .gpus(1)
                        .asOf(at(7200)));
        sreport("es|anna@its.aau.dk|gres/gpu|9000", ROLLED_UP);
        List<String> causes = causes(compare(), "gres/gpu");
        assertEquals(2, causes.size(), causes.toString());
        assertTrue(causes.get(0).startsWith("job 2 has no end yet"), causes.get(0));
        assertTrue(causes.get(1).contains("(course_42)"), causes.get(1));
    }

    @Test
    @DisplayName("what only sreport knows may be a reservation or older than what was read")
    void missingHere() throws Exception {
        sreport("es|anna|gres/gpu|77", ROLLED_UP);
        Answer answer = compare();
        assertEquals(-77, answer.lines().get(0).difference());
        assertTrue(causes(answer, "gres/gpu").get(0).contains("unused time of a reservation"));
    }

    @Test
    @DisplayName("hours that slurmdbd has not rolled up, and jobs that accounting has not told, are said to be so")
    void notYet() throws Exception {
        runs(anna());
        sreport("", "gres/gpu|0|0|0|0|0");
        assertEquals(
                "slurmdbd has rolled up no hour of this period yet",
                causes(compare(), "gres/gpu").get(0));
        store.saveAccountingUntil(at(3600));
        assertTrue(causes(compare(), "gres/gpu").stream()
                .anyMatch(cause -> cause.startsWith("ended jobs are known to Fairwatch only until")));
    }

    @Test
    @DisplayName("suspended time of a cut run is the only thing that cannot be known, and is named")
    void suspendedAndCut() throws Exception {
        runs(anna().from(at(-600)).suspended(Duration.ofMinutes(2)));
        sreport(
                "es|anna@its.aau.dk|cpu|3600\nes|anna@its.aau.dk|gres/gpu|2000\nes|anna@its.aau.dk|mem|8192000",
                ROLLED_UP);
        Answer answer = compare();
        assertEquals(List.of(), causes(answer, "gres/gpu"));
        assertTrue(causes(answer, "cpu").get(0).startsWith("job 1 was suspended for 120 s and is cut at the border"));
    }

    @Test
    @DisplayName("suspended time of a whole run comes off its CPUs and stays on its GPUs, as slurmdbd has it")
    void suspendedWhole() throws Exception {
        runs(anna().suspended(Duration.ofMinutes(2)));
        sreport(
                "es|anna@its.aau.dk|cpu|3520\nes|anna@its.aau.dk|gres/gpu|2000\nes|anna@its.aau.dk|mem|8192000",
                ROLLED_UP);
        assertTrue(compare().agrees());
    }

    @Test
    @DisplayName("the running hour is asked for by itself, where somebody had it rolled up, and both add up")
    void runningHour() throws Exception {
        runs(anna().until(at(9000))); // an hour and a half beyond the period's first
        sreport("es|anna@its.aau.dk|gres/gpu|9000", ROLLED_UP);
        Answer answer = compare(new Period("to now", at(0), at(9200)), at(9200));
        assertEquals(at(10_800), answer.to());
        assertEquals(
                List.of(18_000L, 18_000L),
                answer.lines().stream()
                        .filter(line -> line.resource().equals("gres/gpu"))
                        .flatMap(line -> java.util.stream.Stream.of(line.ours(), line.slurms()))
                        .toList());
        assertEquals(2 * 14_400, answer.cluster().get(0).reported());
        // whether it is rolled up, then each part by user and as a whole
        assertEquals(5, slurm.calls("sreport").size());
    }

    @Test
    @DisplayName("a period of which no whole hour has passed is refused with a sentence")
    void nothingToCompare() {
        sreport("", "gres/gpu|0|0|0|0|0");
        IllegalArgumentException refused =
                assertThrows(IllegalArgumentException.class, () -> compare(new Period("now", at(0), at(600)), at(600)));
        assertTrue(String.valueOf(refused.getMessage()).startsWith("period: no whole hour of it has passed"));
    }

    @Test
    @DisplayName("only sums leave the store, and runs of those alone who differ, however many there are")
    void bounded() throws Exception {
        GivenRun[] jobs = new GivenRun[3000];
        for (int i = 0; i < jobs.length; i++) {
            jobs[i] = job(i + 1)
                    .owner("user" + i % 30, "es", "batch", "")
                    .until(at(100))
                    .gpus(1)
                    .cpus(0);
        }
        runs(jobs);
        StringBuilder answer = new StringBuilder();
        for (int user = 0; user < 30; user++) {
            answer.append("es|user")
                    .append(user)
                    .append("|gres/gpu|")
                    .append(user == 7 ? 9_900 : 10_000)
                    .append('\n');
        }
        sreport(answer.toString(), ROLLED_UP);
        List<String> read = new ArrayList<>();
        Store watched = (Store) Proxy.newProxyInstance(
                Store.class.getClassLoader(), new Class<?>[] {Store.class}, (proxy, method, arguments) -> {
                    Object result = method.invoke(store, arguments);
                    if (result instanceof List<?> list) {
                        read.add(method.getName() + " " + list.size());
                    }
                    return result;
                });
        Answer compared = new AccountingCheck(
                        watched, new SlurmCommand(slurm.settings(Duration.ofSeconds(20), 1 << 20)), () -> at(12_600))
                .compare(PERIOD);
        assertEquals(List.of("heldWithin 30", "runsWithin 100"), read);
        assertEquals(
                List.of("user7"),
                compared.lines().stream()
                        .filter(line -> line.difference() != 0)
                        .map(Line::user)
                        .toList());
    }

    @Test
    @DisplayName("hostile names stay on their line")
    void hostileNames() throws Exception {
        runs(anna().owner("evil\u001b[31m\nroot", "es", "batch", ""));
        sreport("", ROLLED_UP);
        assertFalse(AccountingCheck.text(compare()).matches("(?s).*[\\x00-\\x09\\x0b-\\x1f].*"));
    }
}
