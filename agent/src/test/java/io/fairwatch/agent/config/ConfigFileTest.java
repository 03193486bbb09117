package io.fairwatch.agent.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.config.ConfigFile.ConfigException;
import io.fairwatch.agent.config.ConfigFile.Default;
import io.fairwatch.agent.config.ConfigFile.Range;
import io.fairwatch.agent.config.ConfigFile.Size;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConfigFileTest {
    enum Colour {
        RED,
        GREEN
    }

    record Inner(
            @Default("7") @Range(from = "1", to = "9") int number,
            @Default("1MiB") Size size) {}

    record Item(String name, @Default("false") boolean loud) {}

    record Sample(
            @Default("30s") @Range(from = "5s", to = "5m") Duration period,
            Optional<String> note,
            Inner inner,
            List<Item> items,
            Map<String, Colour> colours,
            Optional<URI> address,
            Optional<Path> path,
            @Default("0.5") double share,
            @Default("x") String text) {
        Sample {
            if (text.equals("bad")) {
                throw new IllegalArgumentException("text: bad (expected: anything else)");
            }
        }
    }

    record Needy(String name, Inner inner) {}

    private static Sample parse(String yaml) throws ConfigException {
        return ConfigFile.parse("f.yml", yaml, Sample.class);
    }

    @Test
    @DisplayName("an empty file gives the defaults")
    void defaults() throws Exception {
        Sample expected = new Sample(
                Duration.ofSeconds(30),
                Optional.empty(),
                new Inner(7, new Size(1 << 20)),
                List.of(),
                Map.of(),
                Optional.empty(),
                Optional.empty(),
                0.5,
                "x");
        assertEquals(expected, parse(""));
        assertEquals(expected, parse("# nothing but a remark\n"));
        assertEquals(expected, parse("inner:\nitems:\n"));
    }

    @Test
    @DisplayName("every kind of value is read")
    void everything() throws Exception {
        Sample sample = parse("""
                period: 1m
                note: hello
                inner: {number: 3, size: 10GB}
                items:
                  - name: one
                  - {name: two, loud: true}
                colours: {sky: green}
                address: https://host:8443/base
                path: /tmp/x
                share: 2
                text: "yes"
                """);
        assertEquals(Duration.ofMinutes(1), sample.period());
        assertEquals(Optional.of("hello"), sample.note());
        assertEquals(new Inner(3, new Size(10_000_000_000L)), sample.inner());
        assertEquals(List.of(new Item("one", false), new Item("two", true)), sample.items());
        assertEquals(Map.of("sky", Colour.GREEN), sample.colours());
        assertEquals(Optional.of(URI.create("https://host:8443/base")), sample.address());
        assertEquals(Optional.of(Path.of("/tmp/x")), sample.path());
        assertEquals(2, sample.share());
        assertEquals("yes", sample.text());
    }

    @Test
    @DisplayName("all problems are told together, each with its line and what was expected")
    void allProblems() {
        ConfigException e = assertThrows(ConfigException.class, () -> parse("""
                period: 1s
                perod: 30s
                inner:
                  number: ten
                  size: big
                  colour: red
                items:
                  - loud: maybe
                colours: {sky: blue}
                address: nowhere
                share: []
                text: bad
                """));
        assertEquals(
                List.of(
                        "f.yml:2: perod: unknown key (expected: period, note, inner, items, colours, address, path,"
                                + " share, text)",
                        "f.yml:1: period: 1s (expected: from 5s to 5m)",
                        "f.yml:6: inner.colour: unknown key (expected: number, size)",
                        "f.yml:4: inner.number: ten (expected: a whole number)",
                        "f.yml:5: inner.size: big (expected: a size such as 64KiB, 256MiB or 1GB)",
                        "f.yml:8: items[0].name: missing",
                        "f.yml:8: items[0].loud: maybe (expected: true or false)",
                        "f.yml:9: colours.sky: blue (expected: red, green)",
                        "f.yml:10: address: nowhere (expected: an address such as https://host:8443)",
                        "f.yml:11: share: a list (expected: a single value)"),
                e.problems());
    }

    @Test
    @DisplayName("what a record refuses is told with the line of the key that it names")
    void refused() {
        ConfigException e = assertThrows(ConfigException.class, () -> parse("period: 30s\ntext: bad\n"));
        assertEquals("f.yml:2: text: bad (expected: anything else)", e.getMessage());
    }

    @Test
    @DisplayName("what has no default must be given")
    void missing() {
        ConfigException e =
                assertThrows(ConfigException.class, () -> ConfigFile.parse("f.yml", "inner: {}", Needy.class));
        assertEquals("f.yml:1: name: missing", e.getMessage());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            'period: 30s'              | PT30S
            'period: 5m'               | PT5M
            'period: PT45S'            | PT45S
            'period: 5000ms'           | PT5S
            """)
    @DisplayName("durations are written the short way or as ISO 8601")
    void durations(String yaml, Duration expected) throws Exception {
        assertEquals(expected, parse(yaml).period());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            'period: 30'               | 'f.yml:1: period: 30 (expected: a duration such as 30s, 5m, 6h or 2d)'
            'period: -PT30S'           | 'f.yml:1: period: -PT30S (expected: 0 or more)'
            'period: {a: 1}'           | 'f.yml:1: period: keys and values (expected: a single value)'
            'inner: 5'                 | 'f.yml:1: inner: 5 (expected: keys number, size)'
            'items: {a: 1}'            | 'f.yml:1: items: keys and values (expected: a list)'
            'inner: {number: 99}'      | 'f.yml:1: inner.number: 99 (expected: from 1 to 9)'
            '[1]'                      | 'f.yml:1: a list (expected: keys and values)'
            'inner: {size: 99999999PB}'| 'f.yml:1: inner.size: 99999999PB (expected: less than 8 EiB)'
            """)
    @DisplayName("a value that does not fit is shown with what would")
    void unfit(String yaml, String problem) {
        assertEquals(
                problem, assertThrows(ConfigException.class, () -> parse(yaml)).getMessage());
    }

    @Test
    @DisplayName("what is no YAML, given twice or a second document is told with its line")
    void notYaml() {
        assertEquals(
                "f.yml:2: period: given twice",
                assertThrows(ConfigException.class, () -> parse("period: 30s\nperiod: 31s\n"))
                        .getMessage());
        assertEquals(
                "f.yml:3: a second document (expected: one)",
                assertThrows(ConfigException.class, () -> parse("period: 30s\n---\nperiod: 31s\n"))
                        .getMessage());
        ConfigException open = assertThrows(ConfigException.class, () -> parse("period: 30s\nnote: \"open\n"));
        assertTrue(open.problems().get(0).startsWith("f.yml:2: not YAML"), open.problems()::toString);
    }

    @Test
    @DisplayName("a file that is not there is a problem, not a crash")
    void noFile() {
        assertEquals(
                "/nowhere/f.yml: no such file",
                assertThrows(ConfigException.class, () -> ConfigFile.read(Path.of("/nowhere/f.yml"), Sample.class))
                        .getMessage());
    }
}
