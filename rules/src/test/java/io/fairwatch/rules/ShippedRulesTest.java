package io.fairwatch.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class ShippedRulesTest {
    @Test
    @DisplayName("every shipped rule comes out as its own table of cases says")
    void casesHold() throws Exception {
        List<RuleSet.CaseFailure> failures = RuleSet.read(Shipped.files()).runCases();
        assertEquals(
                "",
                failures.stream().map(String::valueOf).collect(Collectors.joining("\n")),
                "cases that came out wrong");
    }

    @Test
    @DisplayName("the index names every rule file that ships, and each file is named like its rule")
    void indexIsComplete() throws Exception {
        try (Stream<Path> files = Files.list(Path.of("src/main/resources/io/fairwatch/rules"))) {
            assertEquals(
                    files.map(path -> path.getFileName().toString())
                            .filter(name -> name.endsWith(".yaml"))
                            .sorted()
                            .toList(),
                    Shipped.files().stream().map(RuleSet.RuleFile::name).toList());
        }
        // user-over-limits is off until a site says what is fair
        assertEquals(
                Shipped.files().stream()
                        .map(RuleSet.RuleFile::name)
                        .filter(name -> !name.equals("user-over-limits.yaml"))
                        .toList(),
                RuleSet.read(Shipped.files()).rules().stream()
                        .map(rule -> rule.name() + ".yaml")
                        .toList());
    }
}
