package io.fairwatch.collector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class RulesCommandTest {
    static final String RULE = """
            name: own-rule
            description: For tests.
            scope: running_job
            severity: info
            window: 60m
            warm_up: 60m
            hold: 30m
            resolve_after: 10m
            minimum_coverage: 0.9
            parameters: {}
            select: gpu.utilization_max_ratio <= 0.5
            condition: size(selected) > 0
            summary: It is idle.
            fix: End it.
            cases:
              - name: idle
                gpus: [{utilization_max_ratio: 0.0}]
                expect: finding
            """;

    private final Path directory;

    RulesCommandTest(@TempDir Path directory) {
        this.directory = directory;
    }

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int check(String... words) {
        return new CommandLine(new Main())
                .setOut(new PrintWriter(out, true))
                .setErr(new PrintWriter(err, true))
                .execute(words);
    }

    private void write(String text) throws IOException {
        Files.writeString(directory.resolve("own.yaml"), text);
    }

    @Test
    @DisplayName("shipped rules and a site's own are checked, and each is told with its cases")
    void good() throws IOException {
        write(RULE);
        assertEquals(0, check("rules", "check", directory.toString()), err.toString());
        assertTrue(out.toString().contains("own-rule                       1 cases, good\n"), out.toString());
        assertTrue(out.toString().contains("idle-gpu "), out.toString());
        assertTrue(out.toString().contains("; off\n"), out.toString());
        assertEquals("", err.toString());
    }

    @Test
    @DisplayName("a case that comes out otherwise ends with 1 and says where it is and what came out")
    void otherwise() throws IOException {
        write(RULE.replace("expect: finding", "expect: clear"));
        assertEquals(1, check("rules", "check", directory.toString()));
        assertTrue(
                err.toString().contains("own.yaml:16: idle\n    expected: CLEAR\n    got:      Finding"),
                err.toString());
    }

    @Test
    @DisplayName("rules that cannot be used end with 2, all problems at once with file and line")
    void wrong() throws IOException {
        write(RULE.replace("gpu.utilization_max_ratio <= 0.5", "gpu.utilisation <= 0.5")
                .replace("severity: info", "severity: dire"));
        assertEquals(2, check("rules", "check", directory.toString()));
        assertTrue(err.toString().contains("own.yaml:4: severity: dire (expected: one of info"), err.toString());
        assertTrue(err.toString().contains("own.yaml:11: select: undefined field 'utilisation'"), err.toString());
        assertTrue(err.toString().contains("2 problems"), err.toString());
    }
}
