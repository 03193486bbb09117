package io.fairwatch.collector;

import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.RuleSet.Overrides;
import io.fairwatch.rules.RuleSet.RuleException;
import io.fairwatch.rules.RuleSet.RuleFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Finds rule files: the shipped ones, and the site's own. */
final class RuleFiles {
    private RuleFiles() {}

    /** Reads all rules. */
    static RuleSet read(Optional<Path> directory, Overrides overrides) throws IOException, RuleException {
        List<RuleFile> files = new ArrayList<>(shipped());
        if (directory.isPresent()) {
            try (Stream<Path> own = Files.list(directory.get())) {
                for (Path file : own.filter(path -> path.toString().endsWith(".yaml")
                                || path.toString().endsWith(".yml"))
                        .sorted()
                        .toList()) {
                    files.add(new RuleFile(file.toString(), Files.readString(file)));
                }
            }
        }
        return RuleSet.read(files, overrides);
    }

    private static List<RuleFile> shipped() throws IOException {
        List<RuleFile> files = new ArrayList<>();
        for (String name :
                resource("index.txt").lines().filter(line -> !line.isBlank()).toList()) {
            files.add(new RuleFile(name, resource(name)));
        }
        return files;
    }

    private static String resource(String name) throws IOException {
        try (InputStream in = RuleSet.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IOException("this jar lacks the rule " + name);
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
