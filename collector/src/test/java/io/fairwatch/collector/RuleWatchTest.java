package io.fairwatch.collector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.rules.Rule;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.RuleSet.Overrides;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RuleWatchTest {
    private final Path directory;

    RuleWatchTest(@TempDir Path directory) {
        this.directory = directory;
    }

    private Path own;
    private Path config;
    private RuleWatch watch;

    @BeforeEach
    void begin() throws Exception {
        Path rules = Files.createDirectory(directory.resolve("rules"));
        own = rules.resolve("own.yaml");
        config = directory.resolve("collector.yml");
        Files.writeString(own, RulesCommandTest.RULE);
        Files.writeString(config, "rules:\n  directory: " + rules + "\n");
        watch = new RuleWatch(config, Optional.of(rules), RuleFiles.read(Optional.of(rules), Overrides.NONE));
    }

    private Rule rule(String name) {
        return watch.get().rules().stream()
                .filter(rule -> rule.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    @Test
    @DisplayName("a changed file is in force at the next look, and nothing is read while none changes")
    void changed() throws Exception {
        RuleSet before = watch.get();
        watch.look();
        assertSame(before, watch.get());
        Files.writeString(own, RulesCommandTest.RULE.replace("hold: 30m", "hold: 5m"));
        watch.look();
        assertEquals(Duration.ofMinutes(5), rule("own-rule").timing().hold());
        assertEquals(List.of(), watch.troubles());
    }

    @Test
    @DisplayName("settings in the configuration are followed too")
    void settings() throws Exception {
        Files.writeString(
                config, "rules:\n  directory: " + own.getParent() + "\n  settings: {idle-gpu: {window: 90m}}\n");
        watch.look();
        assertEquals(Duration.ofMinutes(90), rule("idle-gpu").timing().window());
    }

    @Test
    @DisplayName(
            "a wrong file, or a case that comes out otherwise, leaves the rules as they were, and health says so until it is mended")
    void wrong() throws Exception {
        RuleSet before = watch.get();
        Files.writeString(own, RulesCommandTest.RULE.replace("size(selected) > 0", "size(selected) > nothing"));
        watch.look();
        assertSame(before, watch.get());
        assertTrue(
                watch.troubles().get(0).contains("those from before stay in force"),
                watch.troubles().toString());
        assertTrue(
                watch.troubles().get(1).contains("own.yaml:12"),
                watch.troubles().toString());
        Files.writeString(own, RulesCommandTest.RULE.replace("expect: finding", "expect: clear"));
        watch.look();
        assertSame(before, watch.get());
        assertTrue(
                watch.troubles().get(1).contains("the case \"idle\""),
                watch.troubles().toString());
        Files.writeString(own, RulesCommandTest.RULE);
        watch.look();
        assertEquals(List.of(), watch.troubles());
    }
}
