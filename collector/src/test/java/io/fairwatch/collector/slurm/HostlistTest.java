package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HostlistTest {
    @Test
    @DisplayName("ranges keep their leading zeros and their order")
    void ranges() {
        assertEquals(List.of("gpu01", "gpu02", "gpu04"), Hostlist.expand("gpu[01-02,04]"));
        assertEquals(List.of("n9", "n10", "n11"), Hostlist.expand("n[9-11]"));
        assertEquals(List.of("n099", "n100"), Hostlist.expand("n[099-100]"));
    }

    @Test
    @DisplayName("dotted names, which Slurm never compresses, come through as they are")
    void dottedNames() {
        assertEquals(
                List.of("nv-ai-01.srv.aau.dk", "nv-ai-03.srv.aau.dk"),
                Hostlist.expand("nv-ai-01.srv.aau.dk,nv-ai-03.srv.aau.dk"));
    }

    @Test
    @DisplayName("several brackets, text behind a bracket and a mixed list are expanded from left to right")
    void severalBrackets() {
        assertEquals(
                List.of("r1n01-ib", "r1n02-ib", "r2n01-ib", "r2n02-ib", "login"),
                Hostlist.expand("r[1-2]n[01-02]-ib,login"));
    }

    @Test
    @DisplayName("no text is no node")
    void empty() {
        assertEquals(List.of(), Hostlist.expand(""));
        assertEquals(List.of(), Hostlist.expand(" "));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "gpu[01",
                "gpu01]",
                "gpu[]",
                "gpu[a-b]",
                "gpu[2-1]",
                "gpu[1-2-3]",
                "gpu[[1]]",
                "gpu[0-999999999]",
                "gpu[1-99999][1-99999]",
                "gpu[-1]",
                "][",
                "gpu[1,]"
            })
    @DisplayName("what is no list is refused, however large it would be")
    void refused(String list) {
        assertThrows(IllegalArgumentException.class, () -> Hostlist.expand(list));
    }

    @Test
    @DisplayName("whatever Slurm compresses is expanded to the same names")
    void roundTrip() {
        long seed = 20261120;
        Random random = new Random(seed);
        for (int round = 0; round < 500; round++) {
            List<String> names = new ArrayList<>();
            String list = compressed(random, names);
            assertEquals(names, Hostlist.expand(list), "seed " + seed + " round " + round + ": " + list);
        }
    }

    /** Writes a random list as Slurm does, and the names that it stands for. */
    private static String compressed(Random random, List<String> names) {
        List<String> words = new ArrayList<>();
        for (int w = 0; w <= random.nextInt(4); w++) {
            String prefix = List.of("gpu", "nv-ai-", "a256-t4-", "r1.x").get(random.nextInt(4)) + w + "x";
            if (random.nextInt(3) == 0) {
                words.add(prefix + ".srv.aau.dk");
                names.add(prefix + ".srv.aau.dk");
                continue;
            }
            int width = 1 + random.nextInt(4);
            List<String> ranges = new ArrayList<>();
            int next = 0;
            for (int r = 0; r <= random.nextInt(3); r++) {
                int low = next + random.nextInt(5);
                int high = low + random.nextInt(4);
                String format = "%0" + width + "d";
                ranges.add(
                        low == high
                                ? String.format(format, low)
                                : String.format(format, low) + "-" + String.format(format, high));
                for (int n = low; n <= high; n++) {
                    names.add(prefix + String.format(format, n));
                }
                next = high + 2;
            }
            words.add(prefix + "[" + String.join(",", ranges) + "]");
        }
        return String.join(",", words);
    }
}
