package io.fairwatch.collector.notice;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GpuUse;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Golden files are rewritten by {@code mvn -pl collector test -Dfairwatch.golden.write=true}; look at the difference. */
class LetterWriterTest {
    private static final Path GOLDEN = Path.of("src/test/resources/notice");

    private final LetterWriter writer = new LetterWriter(Samples.SITE);
    private final Run run = Samples.run(83549, Samples.USER, "train-llm");

    private Letter write(Run about, FindingRow finding, List<GpuUse> use) {
        return writer.write(new LetterWriter.Matter(about, finding, use, Optional.empty(), Samples.NOW));
    }

    private static void assertGolden(String name, Letter letter) throws IOException {
        assertFile(name + ".txt", "Subject: " + letter.subject() + "\n\n" + letter.text());
        assertFile(name + ".html", letter.html());
    }

    private static void assertFile(String name, String actual) throws IOException {
        Path file = GOLDEN.resolve(name);
        if (Boolean.getBoolean("fairwatch.golden.write")) {
            Files.createDirectories(GOLDEN);
            Files.writeString(file, actual);
        }
        assertEquals(Files.readString(file), actual, name);
    }

    @Test
    @DisplayName("a letter about idle GPUs")
    void idle() throws IOException {
        assertGolden("idle", write(run, Samples.finding(run), Samples.uses(run)));
    }

    @Test
    @DisplayName("unknown is called unknown and counts for nothing, and simulated GPUs are named first")
    void unknownAndSimulated() throws IOException {
        Letter letter = writer.write(new LetterWriter.Matter(
                run,
                Samples.finding(run),
                List.of(Samples.use(run, 3, 0, 0, Optional.empty(), 0), Samples.unread(run, 4)),
                Optional.of("The GPUs of this job are simulated. This mail is part of a test."),
                Samples.NOW));
        assertGolden("unknown", letter);
        assertTrue(letter.text().startsWith("*** The GPUs of this job are simulated."));
        assertTrue(letter.text().contains("at least 2.0 GPU-hours"), letter.text());
    }

    @Test
    @DisplayName("job names cannot bring markup, lines or other directions into a letter")
    void hostileNames() throws IOException {
        Run hostile = Samples.run(
                83550,
                "eve@student.aau.dk",
                "<script>alert(1)</script>\r\nBcc: x@y.dk\u202Egnp.exe \u0007 & \"q\" '\uD800\u0085\u2028end");
        FindingRow finding = Samples.said(
                Samples.finding(hostile), "Job <b>x</b>\r\nBcc: victim@example.org is idle.", "<img src=x onerror=y>");
        Letter letter = write(hostile, finding, Samples.uses(hostile));

        assertGolden("hostile", letter);
        assertFalse(letter.html().contains("<script"));
        assertFalse(letter.html().contains("<img"));
        assertFalse(letter.html().contains("<b>"));
        for (String part : List.of(letter.subject(), letter.text(), letter.html())) {
            assertTrue(part.codePoints()
                    .noneMatch(c -> c != '\n' && (Character.isISOControl(c) || c == 0x202E || c == 0x2028)));
        }
        assertFalse(letter.subject().contains("\n"));
    }

    @Test
    @DisplayName("no line of text is longer than 78 characters, with many GPUs and long names too")
    void width() {
        List<GpuUse> many = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            many.add(
                    Samples.use(run, i, i / 1000.0, 1, Optional.of(Samples.SINCE.minusSeconds(86_400L * (i % 3))), 12));
        }
        Letter letter = write(run, Samples.finding(run), many);
        letter.text().lines().forEach(line -> assertTrue(line.length() <= 78, line));
        assertTrue(letter.text().contains("and 24 more"), letter.text());
    }

    @Test
    @DisplayName("a run of which nothing is known has a letter that says so")
    void nothingKnown() {
        String text = write(run, Samples.finding(run), List.of()).text();
        assertTrue(text.contains("Nothing is known of what its GPUs did."), text);
        assertFalse(text.contains("GPU-hours"), text);
    }

    @Test
    @DisplayName("evidence that is no JSON is left out")
    void brokenEvidence() {
        FindingRow row = Samples.finding(run);
        FindingRow broken = new FindingRow(
                row.run(),
                row.rule(),
                row.since(),
                row.state(),
                row.lastSeen(),
                row.clearSince(),
                row.toldAt(),
                row.user(),
                row.summary(),
                row.fix(),
                "{oops",
                row.progress());
        assertFalse(write(run, broken, Samples.uses(run)).text().contains("Rule gpu-idle"));
    }
}
