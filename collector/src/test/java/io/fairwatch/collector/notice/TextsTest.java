package io.fairwatch.collector.notice;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class TextsTest {
    private final List<String> problems = new ArrayList<>();

    private Texts.Languages read(String preset, Texts.SiteFile... files) {
        return Texts.Languages.read(List.of(files), preset, Samples.ZONE, problems);
    }

    @Test
    @DisplayName("the shipped languages are sound")
    void shipped() {
        read("da");
        assertEquals(List.of(), problems);
    }

    @Test
    @DisplayName("a site changes single texts, or adds a language; what it leaves out stays")
    void overridden() {
        Texts.Languages languages = read(
                "en",
                new Texts.SiteFile("/etc/texts/da.properties", "da", "# ours\ngreeting = Kære {name}\n\n"),
                new Texts.SiteFile("/etc/texts/no.properties", "no", "greeting = Hei {name}"));
        assertEquals(List.of(), problems);
        assertEquals("Kære Bo", languages.of(Optional.of("da")).say("greeting", "name", "Bo"));
        assertEquals("Hvad du kan gøre", languages.of(Optional.of("da")).say("do"));
        assertEquals("Hei Bo", languages.of(Optional.of("no")).say("greeting", "name", "Bo"));
        assertEquals("What you can do", languages.of(Optional.of("no")).say("do"));
    }

    @Test
    @DisplayName("all that is wrong with a site's texts is said at once, with file and line")
    void wrong() {
        read(
                "sv",
                new Texts.SiteFile(
                        "da.properties",
                        "da",
                        "greting = Hej\ngreeting = Hej {nam}\ndo = {\nheld = a\nheld = b\nno equals sign\n"),
                new Texts.SiteFile("Danish.properties", "Danish", ""));
        assertEquals(
                List.of(
                        "da.properties:1: unknown text greting (expected: a key of the English texts)",
                        "da.properties:2: greeting: unknown word {nam} (expected: {name})",
                        "da.properties:3: do: a brace alone (expected: {word})",
                        "da.properties:5: held: given twice",
                        "da.properties:6: no equals sign (expected: key = text)",
                        "Danish.properties: language Danish (expected: a file name such as da.properties)",
                        "language: sv (expected: one of da, en)"),
                problems);
    }

    @Test
    @DisplayName("a person's language is the first that there is, else the site's")
    void languageOfAPerson() {
        Texts.Languages languages = read("da");
        assertEquals("en", languages.of(Optional.of("fr, en-GB;q=0.8")).language());
        assertEquals("da", languages.of(Optional.of("klingon")).language());
        assertEquals("da", languages.of(Optional.empty()).language());
    }

    @Test
    @DisplayName("numbers, lengths and times are as the language writes them, and nothing is rounded up")
    void written() {
        Texts english = read("en").of(Optional.empty());
        Texts danish = read("da").of(Optional.empty());
        assertEquals("2.9", english.number(2.99, 1));
        assertEquals("2,9", danish.number(2.99, 1));
        assertEquals("1 day 4 h", english.length(Duration.ofHours(28).plusMinutes(59)));
        assertEquals("3 dage", danish.length(Duration.ofDays(3)));
        assertEquals("ons. 25 nov. 2026 08:12 CET", danish.full(Instant.parse("2026-11-25T07:12:59Z")));
        assertEquals("31,0 GiB", danish.bytes(31L << 30));
    }

    @Test
    @DisplayName("what is filled in is never read as a text again")
    void filledIn() {
        Texts english = read("en").of(Optional.empty());
        assertEquals("Hello {name} $1 \\,", english.say("greeting", "name", "{name} $1 \\"));
    }
}
