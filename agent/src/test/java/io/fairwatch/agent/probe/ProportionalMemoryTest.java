package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.UserUse;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Queue;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProportionalMemoryTest {
    private static final Instant NOON = Instant.parse("2026-11-20T12:00:00Z");
    private static final long GIB = 1L << 30;

    private final FakeNode node;
    private final ProcTree tree;
    private final Queue<Runnable> background = new ArrayDeque<>();
    private final UserProbe probe;
    private final long page = Libc.pageBytes();

    ProportionalMemoryTest(@TempDir Path directory) throws IOException {
        node = new FakeNode(directory);
        tree = node.tree();
        probe = new UserProbe(
                tree,
                new JobCgroupProbe(tree, System::nanoTime),
                UserNames.off(),
                Optional.of(new ProportionalMemory(node.proc(), background::add)));
    }

    @Test
    @DisplayName("it is absent until all of a user's processes were read, and then their sum")
    void sum() throws Exception {
        process(40, 1000, 100);
        process(41, 1000, 11);
        assertEquals(OptionalLong.empty(), ofUser(1000));
        work();
        assertEquals(OptionalLong.of(111 * 1024), ofUser(1000));
    }

    @Test
    @DisplayName("Pss is read, and none of the lines that look like it")
    void lines() throws Exception {
        node.process(40, "python").uid(1000).file("smaps_rollup", """
                5581c0000000-7ffd5c5f2000 ---p 00000000 00:00 0                          [rollup]
                Rss:               30212 kB
                Pss:               12345 kB
                Pss_Dirty:          9999 kB
                Pss_Anon:           8888 kB
                SwapPss:            7777 kB
                """);
        ofUser(1000);
        work();
        assertEquals(OptionalLong.of(12345 * 1024), ofUser(1000));
    }

    @Test
    @DisplayName("a process that is new since the last snapshot waits; one that stays unread makes the sum unknown")
    void fresh() throws Exception {
        process(40, 1000, 100);
        ofUser(1000);
        work();
        process(41, 1000, 11);
        assertEquals(OptionalLong.of(100 * 1024), ofUser(1000));
        assertEquals(OptionalLong.empty(), ofUser(1000), "nothing was read since");
        work();
        assertEquals(OptionalLong.of(111 * 1024), ofUser(1000));
    }

    @Test
    @DisplayName("a pid that came back is another process")
    void reused() throws Exception {
        process(40, 1000, 100);
        process(41, 1000, 5);
        ofUser(1000);
        work();
        node.process(40, "python").startTicks(9_000).file("smaps_rollup", pss(7));
        assertEquals(OptionalLong.of(5 * 1024), ofUser(1000));
        work();
        assertEquals(OptionalLong.of(12 * 1024), ofUser(1000));
    }

    @Test
    @DisplayName("a portion ends at two GiB, what was read longest ago comes first, and a giant is never read")
    void portions() throws Exception {
        for (int i = 0; i < 3; i++) {
            process(40 + i, 1000 + i, 100 + i).pages(GIB / page);
        }
        process(50, 2000, 1).pages(17 * GIB / page);
        ofUser(0);
        work();
        assertEquals(List.of(true, true, false, false), known());
        work();
        assertEquals(List.of(true, true, true, false), known());
        for (int i = 0; i < 3; i++) {
            node.process(40 + i, "python").file("smaps_rollup", pss(7));
        }
        work();
        ofUser(0);
        work();
        ofUser(0);
        work();
        assertEquals(OptionalLong.of(7 * 1024), ofUser(1000));
        assertEquals(OptionalLong.of(7 * 1024), ofUser(1001));
        assertEquals(OptionalLong.of(7 * 1024), ofUser(1002));
        assertEquals(OptionalLong.empty(), ofUser(2000));
    }

    @Test
    @DisplayName("what may not be read makes the sum unknown, not small")
    void denied() throws Exception {
        process(40, 1000, 100);
        process(41, 1000, 100);
        Path file = node.proc().resolve("41/smaps_rollup");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("---------"));
        Assumptions.assumeFalse(Files.isReadable(file), "SKIPPED: root may read everything");
        ofUser(1000);
        work();
        assertEquals(OptionalLong.empty(), ofUser(1000));
    }

    @Test
    @DisplayName("this very process has a share of its memory that is no more than what is resident")
    void real() throws Exception {
        ProcTree real = new ProcTree(Path.of("/proc"), Path.of("/sys/fs/cgroup"), false);
        real.refresh(NOON);
        long self = ProcessHandle.current().pid();
        List<ProcTree.Proc> me = real.processes().stream()
                .filter(process -> process.stat().pid() == self)
                .toList();
        ProportionalMemory memory = new ProportionalMemory(Path.of("/proc"), Runnable::run);
        memory.readSome(me, page);
        long bytes = memory.of(me).orElseThrow();
        assertTrue(bytes > 1 << 20 && bytes < 2 * me.get(0).stat().residentPages() * page, bytes + " bytes");
    }

    private FakeNode.FakeProcess process(int pid, int uid, long kib) throws IOException {
        return node.process(pid, "python").uid(uid).file("smaps_rollup", pss(kib));
    }

    private static String pss(long kib) {
        return "00-ff ---p 00000000 00:00 0 [rollup]\nRss:  9999 kB\nPss:  " + kib + " kB\n";
    }

    /** A snapshot; what it says of one user. */
    private OptionalLong ofUser(int uid) throws Exception {
        tree.refresh(NOON);
        return probe.read(NOON).stream()
                .filter(use -> use.uid() == uid)
                .findFirst()
                .map(UserUse::proportionalBytes)
                .orElse(OptionalLong.empty());
    }

    /** A snapshot; whether it knows the memory of each user. */
    private List<Boolean> known() throws Exception {
        tree.refresh(NOON);
        return probe.read(NOON).stream()
                .map(use -> use.proportionalBytes().isPresent())
                .toList();
    }

    private void work() {
        while (!background.isEmpty()) {
            background.remove().run();
        }
    }
}
