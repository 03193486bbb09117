package io.fairwatch.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class RuleTableTest {
    private static final Pattern NAME = Pattern.compile("`([a-z]+(?:-[a-z0-9]+)+)`");

    private static List<String> table() throws Exception {
        return Files.readAllLines(Path.of("../deploy/rules.md")).stream()
                .filter(line -> line.startsWith("|"))
                .toList();
    }

    private static Set<String> shipped() throws Exception {
        return new TreeSet<>(RuleSet.read(Shipped.files()).caseCounts().keySet());
    }

    @Test
    @DisplayName("the table of rules names each rule that ships, once, and no other")
    void complete() throws Exception {
        List<String> named = table().stream()
                .filter(line -> line.startsWith("| `"))
                .map(line -> line.substring(3, line.indexOf('`', 3)))
                .toList();
        assertEquals(shipped(), new TreeSet<>(named));
        assertEquals(named.size(), new TreeSet<>(named).size());
    }

    @Test
    @DisplayName("each alert and note of other tools is covered by rules that ship")
    void covers() throws Exception {
        Set<String> shipped = shipped();
        List<String> others = table().stream()
                .filter(line -> !line.startsWith("| `") && !line.startsWith("|-") && !line.endsWith("| here |"))
                .filter(line -> !line.startsWith("| rule |"))
                .toList();
        assertEquals(25, others.size());
        for (String line : others) {
            Set<String> rules =
                    NAME.matcher(line).results().map(found -> found.group(1)).collect(Collectors.toSet());
            assertEquals(
                    Set.of(),
                    rules.stream().filter(name -> !shipped.contains(name)).collect(Collectors.toSet()),
                    line);
            Matcher any = NAME.matcher(line);
            assertEquals(true, any.find(), line);
        }
    }
}
