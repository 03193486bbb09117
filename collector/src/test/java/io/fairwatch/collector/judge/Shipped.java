package io.fairwatch.collector.judge;

import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.RuleSet.Overrides;
import io.fairwatch.rules.RuleSet.RuleException;
import io.fairwatch.rules.RuleSet.RuleFile;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** The rules that ship with Fairwatch. */
final class Shipped {
    private Shipped() {}

    /** All of them. */
    static RuleSet all() throws RuleException {
        return all(Map.of());
    }

    /** All of them, with settings by rule and key. */
    static RuleSet all(Map<String, Map<String, Object>> settings) throws RuleException {
        return RuleSet.read(resource("index.txt").lines().map(Shipped::file).toList(), new Overrides("test", settings));
    }

    /** Some of them, with settings by rule and key. */
    static RuleSet only(List<String> names, Map<String, Map<String, Object>> settings) throws RuleException {
        List<RuleFile> files = new ArrayList<>();
        names.forEach(name -> files.add(file(name + ".yaml")));
        return RuleSet.read(files, new Overrides("test", settings));
    }

    private static RuleFile file(String name) {
        return new RuleFile(name, resource(name));
    }

    private static String resource(String name) {
        try (InputStream in = Objects.requireNonNull(RuleSet.class.getResourceAsStream(name), name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
