package io.fairwatch.rules;

import io.fairwatch.rules.RuleSet.RuleFile;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;

/** The rules that ship with Fairwatch. */
final class Shipped {
    private Shipped() {}

    static List<RuleFile> files() {
        return resource("index.txt")
                .lines()
                .map(name -> new RuleFile(name, resource(name)))
                .toList();
    }

    static RuleFile file(String name) {
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
