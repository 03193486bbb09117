package io.fairwatch.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
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

    /** Words that an English sentence can hardly do without. */
    private static final Pattern ENGLISH = Pattern.compile(
            "\\b(the|was|were|and|they|it|GPUs|CPUs|jobs|nodes|not known|days?|with|used|ask|hours)\\b");

    @Test
    @DisplayName("every shipped rule speaks Danish, wholly, and gives the same command lines")
    void danish() throws Exception {
        List<String> wrong = new ArrayList<>();
        RuleSet rules = RuleSet.read(Shipped.files());
        for (RuleReader.Loaded loaded : rules.loaded()) {
            int findings = 0;
            for (RuleCase one : loaded.cases()) {
                Views views = Views.of(one.facts());
                Verdict verdict = loaded.compiled().judge(loaded.rule().effective(views), views);
                if (!(verdict instanceof Verdict.Finding finding)) {
                    continue;
                }
                findings++;
                Optional<Verdict.Said> danish =
                        Optional.ofNullable(finding.translations().get("da"));
                if (danish.isEmpty()) {
                    wrong.add(loaded.rule().name() + " says nothing in Danish: " + one.name());
                    continue;
                }
                if (!commands(finding.fix()).equals(commands(danish.get().fix()))) {
                    wrong.add(loaded.rule().name() + ", " + one.name() + ": " + commands(finding.fix()) + " and "
                            + commands(danish.get().fix()));
                }
                String words =
                        danish.get().summary() + "\n" + prose(danish.get().fix());
                if (ENGLISH.matcher(words).find()) {
                    wrong.add(loaded.rule().name() + ": " + words);
                }
            }
            assertTrue(findings > 0, loaded.rule().name() + " has no case that finds something");
        }
        assertEquals(List.of(), wrong);
    }

    /** The lines that stand apart: what is to be typed. */
    private static List<String> commands(String fix) {
        return fix.lines()
                .filter(line -> line.startsWith("    "))
                .map(String::strip)
                .toList();
    }

    private static String prose(String fix) {
        return fix.lines().filter(line -> !line.startsWith("    ")).collect(Collectors.joining("\n"));
    }
}
