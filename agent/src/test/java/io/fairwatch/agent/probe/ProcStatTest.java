package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ProcStatTest {
    private static final String REST =
            " S 799 805 799 0 -1 4194304 153 0 0 0 700 300 0 0 20 0 16 0 4711 5828608 1024 18446744073709551615 1 1 0\n";

    @Test
    @DisplayName("a line of the kernel's is read")
    void line() {
        assertEquals(
                Optional.of(new ProcStat(805, "python", 'S', 799, false, 700 + 300, 16, 4711, 1024)),
                parse("805 (python)" + REST));
    }

    @ParameterizedTest
    @ValueSource(strings = {"a b", ") (", ")", "((", "x) R 1 2 3 (", "", "new\nline", ") S 1 1 1 0 -1 2097152 "})
    @DisplayName("anything may stand in a name")
    void names(String name) {
        ProcStat stat = parse("805 (" + name + ")" + REST).orElseThrow();
        assertEquals(name, stat.comm());
        assertEquals(799, stat.parent());
        assertEquals(4711, stat.startTicks());
    }

    @Test
    @DisplayName("kernel threads and zombies are told apart from programs")
    void kinds() {
        String thread = "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 9 0 0 20 0 1 0 2 0 0 18446744073709551615\n";
        assertTrue(parse(thread).orElseThrow().kernelThread());
        assertTrue(parse("805 (x)" + REST.replace(" S ", " Z ")).orElseThrow().zombie());
    }

    @Test
    @DisplayName("a line cut short is nothing, until all that is needed is there")
    void cut() {
        String line = "805 (python)" + REST;
        int enough = line.indexOf("1024");
        for (int length = 0; length < enough; length++) {
            assertEquals(Optional.empty(), parse(line.substring(0, length)), "length " + length);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"hello", "(x) S 1", "805 () ", "x (y)" + REST, "-1 (y)" + REST, "99999999999 (y)" + REST})
    @DisplayName("garbage is nothing")
    void garbage(String line) {
        assertEquals(Optional.empty(), parse(line));
    }

    private static Optional<ProcStat> parse(String line) {
        byte[] bytes = line.getBytes(StandardCharsets.ISO_8859_1);
        return ProcStat.parse(bytes, bytes.length);
    }
}
