package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CleanPagesTest {
    private static final String HEAD = "7f10c0000000-7f10c0d20000 r--p 00bae000 fe:00 4711       /usr/share/agent.jsa";
    private static final String FIELDS = """
            Size:              13440 kB
            KernelPageSize:        4 kB
            Rss:               13452 kB
            Shared_Clean:          0 kB
            Shared_Dirty:          0 kB
            Private_Clean:     13452 kB
            Private_Dirty:         0 kB
            Anonymous:             0 kB
            Swap:                  0 kB
            Locked:                0 kB
            THPeligible:           0
            VmFlags: rd mr mw me sd
            """;

    @Test
    @DisplayName("a mapping of a file that cannot be written to and was not changed is given back whole")
    void clean() throws Exception {
        assertEquals(List.of("7f10c0000000 d20000"), found(HEAD + "\n" + FIELDS));
        assertEquals(
                List.of("7f10c0000000 d20000", "7f10c0000000 d20000"),
                found(HEAD.replace("r--p", "r-xp") + "\n" + FIELDS + HEAD + "\n" + FIELDS));
    }

    @ParameterizedTest
    @CsvSource({
        "Private_Dirty:         0, Private_Dirty:         4",
        "Shared_Dirty:          0, Shared_Dirty:          4",
        "Anonymous:             0, Anonymous:             4",
        "Swap:                  0, Swap:                  4",
        "Locked:                0, Locked:                4",
        "Rss:               13452, Rss:                 252",
        "r--p, rw-p",
        "r--p, r--s",
        "r--p, ---p",
        "/usr/share/agent.jsa, [vdso]",
        "/usr/share/agent.jsa, ''"
    })
    @DisplayName("what holds anything that is not in its file, or could, is left alone; so is what is not worth it")
    void leftAlone(String what, String other) throws Exception {
        String smaps = HEAD + "\n" + FIELDS;
        assertTrue(smaps.contains(what));
        assertEquals(List.of(), found(smaps.replace(what, other)));
    }

    @Test
    @DisplayName("this very process goes on after it gave back its pages")
    void real() throws Exception {
        CleanPages.giveBack();
        assertTrue(new ArrayList<>(List.of(3, 1, 2)).stream().sorted().toList().get(0) == 1);
        CleanPages.giveBack();
    }

    private static List<String> found(String smaps) throws Exception {
        List<String> found = new ArrayList<>();
        CleanPages.find(
                new BufferedReader(new StringReader(smaps)),
                (address, bytes) -> found.add(Long.toHexString(address) + " " + Long.toHexString(bytes)));
        return found;
    }
}
