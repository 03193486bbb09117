package io.fairwatch.collector.report;

import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.ScratchUse.DirectoryUse;
import io.fairwatch.agent.wire.ScratchUse.Owner;
import io.fairwatch.collector.report.Report.Script;
import io.fairwatch.collector.run.AccountTree;
import io.fairwatch.collector.run.Association;
import io.fairwatch.collector.run.Limits;
import io.fairwatch.collector.slurm.FakeSlurm;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Given;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The scripts of a report, run by a real shell in a directory of the test with a sacctmgr that only notes its arguments:
 * whatever names are like, nothing else is run.
 */
class ScriptsTest {
    private static final List<String> HOSTILE = List.of(
            "x'; touch broken; '",
            "$(touch broken)",
            "`touch broken`",
            "\"; touch broken; \"",
            "a\ntouch broken",
            "a\rtouch broken",
            "a # '\ntouch broken",
            "-i",
            "--run",
            "all,bob",
            "name=bob",
            "bob set qos=root",
            "*",
            "../bob",
            "bob\u001b]0;title\u0007",
            "bob\u202Egpj");

    private final Path directory;
    private final FakeSlurm commands;
    private Store store;

    ScriptsTest(@TempDir Path directory) {
        this.directory = directory;
        this.commands = new FakeSlurm(directory);
    }

    @BeforeEach
    void open() throws StoreException {
        store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
        store.saveRuns(List.of(
                job(1).owner("active", "es", "batch", "").until(at(100)).gpus(1).run()));
        commands.command(
                "sacctmgr",
                "for word in \"$@\"; do printf '[%s]' \"$word\"; done >> '" + directory.resolve("called") + "'",
                "echo >> '" + directory.resolve("called") + "'");
        commands.command("hostname", "echo node-a");
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
    }

    private void mayRunJobs(List<String> users) throws StoreException {
        List<Association> associations = new ArrayList<>();
        for (String user : users) {
            associations.add(new Association(
                    user,
                    "es",
                    Optional.empty(),
                    Optional.empty(),
                    List.of("normal"),
                    OptionalLong.empty(),
                    Limits.NONE));
        }
        store.saveAccounts(new AccountTree(at(0), "lab", List.of(), associations, List.of(), List.of()));
    }

    private Script script(String name) throws StoreException {
        return new ReportMaker(
                        store,
                        ReportSettings.DEFAULTS,
                        new ReportMaker.Site("the cluster", ZoneOffset.UTC, "test", List::of))
                .make(new Period("$(touch broken)\ntouch broken", at(0), at(3600))).scripts().stream()
                        .filter(script -> script.name().equals(name))
                        .findFirst()
                        .orElseThrow();
    }

    /** Runs the script in the test's directory; answers what it printed. */
    private String run(Script script, String... arguments) throws IOException, InterruptedException {
        Path file = Files.writeString(directory.resolve(script.name()), script.text());
        List<String> words = new ArrayList<>(List.of("/bin/sh", file.toString()));
        words.addAll(List.of(arguments));
        ProcessBuilder builder =
                new ProcessBuilder(words).directory(directory.toFile()).redirectErrorStream(true);
        builder.environment().put("PATH", directory + ":/usr/bin:/bin");
        Process process = builder.start();
        process.getOutputStream().close();
        String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(process.waitFor(20, TimeUnit.SECONDS));
        assertEquals(0, process.exitValue(), printed);
        assertFalse(Files.exists(directory.resolve("broken")), "something else was run: " + script.text());
        return printed;
    }

    private List<String> called() throws IOException {
        Path called = directory.resolve("called");
        return Files.exists(called) ? Files.readAllLines(called) : List.of();
    }

    @Test
    @DisplayName("users without a job: printed first, done only with --run, one command for each, whole names")
    void inactive() throws Exception {
        mayRunJobs(List.of("active", "old@student.aau.dk", "Old.Two+x-1_y"));
        Script script = script("inactive-users.sh");
        String printed = run(script);
        assertTrue(
                printed.contains(
                        "sacctmgr -i modify user where name=old@student.aau.dk cluster=lab set qos=1cpu defaultqos=1cpu"),
                printed);
        assertEquals(List.of(), called());
        run(script, "--run");
        assertEquals(
                List.of(
                        "[-i][modify][user][where][name=Old.Two+x-1_y][cluster=lab][set][qos=1cpu][defaultqos=1cpu]",
                        "[-i][modify][user][where][name=old@student.aau.dk][cluster=lab][set][qos=1cpu][defaultqos=1cpu]"),
                called());
    }

    @Test
    @DisplayName("names that a shell or sacctmgr could misread are left out, and nothing of them is run")
    void hostileUsers() throws Exception {
        mayRunJobs(HOSTILE);
        Script script = script("inactive-users.sh");
        run(script);
        run(script, "--run");
        assertEquals(List.of(), called());
        assertEquals(
                HOSTILE.size(),
                script.text()
                        .lines()
                        .filter(line -> line.startsWith("# left out"))
                        .count());
        assertTrue(
                script.text().codePoints().allMatch(point -> point == '\n' || !Character.isISOControl(point)),
                script.text());
    }

    @Test
    @DisplayName("one word for the shell, whatever is in it")
    void quoted() throws Exception {
        for (String text : HOSTILE) {
            Files.deleteIfExists(directory.resolve("called"));
            run(new Script("word.sh", "sacctmgr " + ActionLists.quoted(text) + "\n"));
            assertEquals("[" + text + "]\n", Files.readString(directory.resolve("called")));
        }
    }

    // ---- scratch

    private Path old(String name) throws IOException {
        Path old = Files.createDirectories(directory.resolve("raid").resolve(name));
        Files.writeString(old.resolve("data"), "x");
        FileTime longAgo = FileTime.from(Instant.now().minus(Duration.ofDays(400)));
        Files.setLastModifiedTime(old.resolve("data"), longAgo);
        Files.setLastModifiedTime(old, longAgo);
        return old;
    }

    private void counted(List<String> names) throws Exception {
        int uid = (Integer) Files.getAttribute(directory, "unix:uid");
        List<DirectoryUse> directories = new ArrayList<>();
        for (String name : names) {
            directories.add(new DirectoryUse(
                    name,
                    OptionalInt.of(uid),
                    Optional.empty(),
                    Owner.NOT_ASKED,
                    1L << 30,
                    2,
                    Optional.of(at(0).minus(Duration.ofDays(300))),
                    Optional.empty()));
        }
        NodeSnapshot plain = Given.snapshot("node-a", 1, at(0));
        store.append(List.of(new NodeSnapshot(
                plain.version(),
                plain.node(),
                plain.bootId(),
                plain.sequence(),
                plain.at(),
                plain.period(),
                plain.agent(),
                plain.probes(),
                plain.host(),
                plain.gpuDriver(),
                plain.gpus(),
                plain.jobs(),
                plain.users(),
                List.of(new ScratchUse(
                        directory.resolve("raid").toString(),
                        1L << 40,
                        1L << 39,
                        1L << 39,
                        OptionalLong.empty(),
                        OptionalLong.empty(),
                        Optional.of(new ScratchUse.Directories("walk", at(0), directories, 0)),
                        Optional.empty())))));
    }

    @Test
    @DisplayName("scratch: only what is still that user's, a real directory, and untouched goes, and only with --run")
    void scratch() throws Exception {
        Path plain = old("its.anna");
        Path spaced = old("with space, and comma");
        Path touched = old("touched");
        Files.writeString(touched.resolve("new"), "x");
        Path kept = old("elsewhere");
        Files.createSymbolicLink(directory.resolve("raid").resolve("link"), kept);
        counted(List.of("its.anna", "with space, and comma", "touched", "link", "gone already"));
        Script script = script("old-scratch.sh");
        String printed = run(script);
        assertTrue(printed.contains("rm -rf --one-file-system -- " + plain), printed);
        assertTrue(Files.exists(plain));
        String done = run(script, "--run");
        assertFalse(Files.exists(plain));
        assertFalse(Files.exists(spaced));
        assertTrue(done.contains("skipped, written to since: " + touched), done);
        assertTrue(Files.exists(touched.resolve("new")));
        assertTrue(done.contains("skipped, no directory: " + directory.resolve("raid/link")), done);
        assertTrue(Files.exists(kept.resolve("data")));
    }

    @Test
    @DisplayName("scratch: names that a shell, a terminal or a person could misread are left out")
    void hostileDirectories() throws Exception {
        Path victim = Files.createDirectories(directory.resolve("bob"));
        counted(HOSTILE.stream()
                .map(name -> name.replaceAll("\\p{Cntrl}", "?")) // as the agent sends them
                .toList());
        Script script = script("old-scratch.sh");
        run(script, "--run");
        assertTrue(Files.exists(victim));
    }

    @Test
    @DisplayName("scratch: on another node nothing happens")
    void otherNode() throws Exception {
        Path plain = old("its.anna");
        counted(List.of("its.anna"));
        commands.command("hostname", "echo node-b");
        run(script("old-scratch.sh"), "--run");
        assertTrue(Files.exists(plain));
    }
}
