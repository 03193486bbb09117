package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PidListTest {
    @Test
    @DisplayName("numbers are pids, in order, whatever order they lie in; other names are none")
    void order(@TempDir Path directory) throws IOException {
        for (int pid = 3000; pid > 0; pid -= 3) {
            Files.createDirectory(directory.resolve(Integer.toString(pid)));
        }
        for (String name : List.of("self", "12x", "-4", "99999999999", "2147483648", "0")) {
            Files.createDirectory(directory.resolve(name));
        }
        PidList list = new PidList(directory, 2000);
        for (int round = 0; round < 2; round++) {
            assertTrue(list.read());
            assertEquals(1000, list.size());
            for (int i = 0; i < list.size(); i++) {
                assertEquals(3 + 3 * i, list.pid(i));
                assertEquals(
                        Files.getAttribute(directory.resolve(Integer.toString(list.pid(i))), "unix:ino"),
                        list.inode(i));
            }
        }
    }

    @Test
    @DisplayName("this machine's processes are those that Java lists, each with an inode of its own")
    void real() {
        PidList list = new PidList(Path.of("/proc"), 100_000);
        assertTrue(list.read());
        List<Integer> pids = new ArrayList<>();
        for (int i = 0; i < list.size(); i++) {
            pids.add(list.pid(i));
            assertNotEquals(PidList.NO_INODE, list.inode(i));
        }
        assertTrue(pids.contains((int) ProcessHandle.current().pid()));
        assertTrue(pids.contains(1));
        assertEquals(pids.stream().sorted().distinct().toList(), pids);
    }

    @Test
    @DisplayName("no more are listed than there is room for, but all are counted")
    void most(@TempDir Path directory) throws IOException {
        for (int pid = 1; pid <= 10; pid++) {
            Files.createDirectory(directory.resolve(Integer.toString(pid)));
        }
        PidList list = new PidList(directory, 7);
        for (int round = 0; round < 2; round++) {
            assertTrue(list.read());
            assertEquals(7, list.size());
            assertEquals(10, list.total());
        }
    }

    @Test
    @DisplayName("what is not there cannot be listed")
    void nowhere(@TempDir Path directory) {
        assertFalse(new PidList(directory.resolve("nowhere"), 1).read());
    }
}
