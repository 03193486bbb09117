package io.fairwatch.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class VocabularyTest {
    @Test
    @DisplayName("the package documentation lists every fact that rules can use")
    void documented() throws Exception {
        String documentation = Files.readString(Path.of("src/main/java/io/fairwatch/rules/package-info.java"));
        List<String> missing = new ArrayList<>();
        for (Vocabulary.Thing thing : Vocabulary.THINGS) {
            for (String fact : thing.facts().keySet()) {
                if (!documentation.contains("{@code " + thing.variable() + "." + fact + "}")) {
                    missing.add(thing.variable() + "." + fact);
                }
            }
        }
        assertEquals(List.of(), missing);
    }

    @ParameterizedTest(name = "{0} s: {1}")
    @DisplayName("durations are told in their two largest units and never rounded up")
    @CsvSource({"0,0 s", "59,59 s", "60,1 min", "5399,1 h 29 min", "5400,1 h 30 min", "7200,2 h", "90000,1 day 1 h"})
    void durations(long seconds, String text) {
        assertEquals(text, Language.ENGLISH.duration(seconds));
    }

    @ParameterizedTest(name = "{0} B: {1}")
    @DisplayName("bytes are told in binary units")
    @CsvSource({"0,0 B", "1023,1023 B", "1024,1.0 KiB", "33285996544,31.0 GiB"})
    void bytes(long bytes, String text) {
        assertEquals(
                text,
                Objects.requireNonNull(
                                new TextFunctions(Language.ENGLISH).byName().get("bytes_text"))
                        .body()
                        .of(new Object[] {bytes}));
    }

    @ParameterizedTest(name = "{0}: {1} s")
    @DisplayName("durations are read as people write them")
    @CsvSource({"90s,90", "60m,3600", "1h30m,5400", "2d,172800", "0s,0"})
    void readsDurations(String text, long seconds) {
        assertEquals(seconds, Durations.parse(text).orElseThrow().toSeconds());
    }
}
