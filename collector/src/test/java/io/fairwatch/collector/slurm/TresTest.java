package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TresTest {
    @Test
    @DisplayName("typed GPUs are the same GPUs told again, in any order, and are never added")
    void typedGpusAreNotAdded() {
        assertEquals(
                OptionalInt.of(2),
                Tres.parse("cpu=4,mem=2G,node=1,gres/gpu=2,gres/gpu:v100=2").gpus());
        assertEquals(
                OptionalInt.of(2),
                Tres.parse("billing=4,gres/gpu:v100=2,gres/gpu=2,cpu=4").gpus());
    }

    @Test
    @DisplayName("typed GPUs count where the untyped entry is missing")
    void typedGpusAlone() {
        assertEquals(
                OptionalInt.of(3),
                Tres.parse("cpu=4,gres/gpu:v100=2,gres/gpu:t4=1").gpus());
    }

    @Test
    @DisplayName("no GPU entry is no GPU, but no text is unknown")
    void zeroIsNotUnknown() {
        assertEquals(OptionalInt.of(0), Tres.parse("cpu=4,mem=2G,node=1").gpus());
        assertEquals(OptionalInt.empty(), Tres.parse("").gpus());
        assertEquals(OptionalInt.empty(), Tres.parse("").cpus());
        assertEquals(OptionalLong.empty(), Tres.parse("cpu=1").memoryBytes());
    }

    @Test
    @DisplayName("shards, MPS and GPU memory are not GPUs")
    void otherGres() {
        assertEquals(
                OptionalInt.of(0),
                Tres.parse("cpu=4,gres/shard=8,gres/mps=100,gres/gpumem=80G").gpus());
    }

    @ParameterizedTest
    @CsvSource({
        "mem=2G,     2147483648", // 2 * 1024^3
        "mem=500M,    524288000", // 500 * 1024^2
        "mem=1.50G,  1610612736", // 1.5 * 1024^3
        "mem=1T,  1099511627776", // 1024^4
        "mem=204K,       208896", // 204 * 1024
        "mem=1500,   1572864000", // 1500 MiB
        "mem=0,               0",
        "mem=0.5P, 562949953421312", // 0.5 * 1024^5
    })
    @DisplayName("memory has units of 1024 and may have decimals; without a unit it is MiB")
    void memory(String text, long bytes) {
        assertEquals(OptionalLong.of(bytes), Tres.parse(text).memoryBytes());
    }

    @Test
    @DisplayName("what is no TRES text is refused")
    void refused() {
        assertThrows(IllegalArgumentException.class, () -> Tres.parse("cpu"));
        assertThrows(IllegalArgumentException.class, () -> Tres.parse("mem=x").memoryBytes());
        assertThrows(
                IllegalArgumentException.class, () -> Tres.parse("mem=9e99G").memoryBytes());
        assertThrows(
                IllegalArgumentException.class, () -> Tres.parse("cpu=many").cpus());
        assertThrows(
                IllegalArgumentException.class, () -> Tres.parse("gres/gpu=-1").gpus());
    }

    @Test
    @DisplayName("entries are read back as written, in whatever order")
    void roundTrip() {
        long seed = 20261120;
        Random random = new Random(seed);
        for (int round = 0; round < 500; round++) {
            int cpus = random.nextInt(1000);
            int gpus = random.nextInt(64);
            int mib = random.nextInt(2_000_000);
            Map<String, String> entries = new LinkedHashMap<>();
            entries.put("cpu", "" + cpus);
            entries.put("mem", mib + "M");
            entries.put("node", "1");
            entries.put("gres/gpu", "" + gpus);
            entries.put("gres/gpu:v100", "" + gpus);
            entries.put("license/matlab@server", "3");
            List<String> words = new ArrayList<>();
            entries.forEach((name, value) -> words.add(name + "=" + value));
            Collections.shuffle(words, random);
            String text = String.join(",", words);

            Tres tres = Tres.parse(text);

            String told = "seed " + seed + ": " + text;
            assertEquals(entries, tres.entries(), told);
            assertEquals(OptionalInt.of(cpus), tres.cpus(), told);
            assertEquals(OptionalInt.of(gpus), tres.gpus(), told);
            assertEquals(OptionalLong.of(mib * 1024L * 1024L), tres.memoryBytes(), told);
        }
    }
}
