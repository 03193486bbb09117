package io.fairwatch.collector.notice;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.GpuUse;
import io.fairwatch.collector.store.JobUse;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Golden files are rewritten by {@code mvn -pl collector test -Dfairwatch.golden.write=true}; look at the difference. */
class LetterWriterTest {
    private static final Path GOLDEN = Path.of("src/test/resources/notice");

    private final LetterWriter writer = new LetterWriter(Samples.SITE, Texts.Languages.shippedIn(Samples.ZONE));
    private final Run run = Samples.run(83549, Samples.USER, "train-llm");

    private Letter write(Run about, FindingRow finding, List<GpuUse> use) {
        return write(Optional.empty(), matter(about, List.of(finding), use));
    }

    private Letter write(Optional<String> language, Matter... matters) {
        return writer.write(order(LetterWriter.Audience.OWNER, language, Optional.empty(), matters));
    }

    private static LetterWriter.Order order(
            LetterWriter.Audience audience,
            Optional<String> language,
            Optional<LetterWriter.News> news,
            Matter... matters) {
        return new LetterWriter.Order(
                audience,
                new Person("tlj@its.aau.dk", Optional.empty(), language, false),
                matters[0].run().owner().user(),
                List.of(matters),
                List.of(),
                news,
                Optional.empty(),
                Samples.NOW);
    }

    private static Matter matter(Run about, List<FindingRow> findings, List<GpuUse> use) {
        return new Matter(about, findings, use, List.of(), Optional.empty(), Map.of(), Matter.Course.NONE);
    }

    /** With all that can be known. */
    private Matter full(Run about, FindingRow... findings) {
        List<GpuUse> whole = Samples.uses(about).stream()
                .map(use -> Samples.withEnergy(use, about.key().start(), 9_000_000))
                .toList();
        return new Matter(
                about,
                List.of(findings),
                Samples.uses(about),
                whole,
                Optional.of(new JobUse(
                        about.key(),
                        1,
                        OptionalDouble.of(20_000),
                        OptionalLong.of(41L << 30),
                        OptionalInt.of(9),
                        List.of())),
                Map.of(
                        new Matter.Gpu("nv-ai-01", "GPU-3"), strip(part -> OptionalDouble.of(0)),
                        new Matter.Gpu("nv-ai-01", "GPU-4"),
                                strip(part -> part < 12 ? OptionalDouble.of(part / 30.0) : OptionalDouble.of(0)),
                        new Matter.Gpu("nv-ai-01", "GPU-11"),
                                strip(part -> part > 20 && part < 25
                                        ? OptionalDouble.empty()
                                        : OptionalDouble.of(part % 5 == 0 ? 1 : 0.9))),
                new Matter.Course(
                        Optional.of(Samples.SINCE.plusSeconds(60)),
                        List.of(new Matter.Next("cancel", Samples.NOW.plusSeconds(7200))),
                        Optional.of(new Matter.Answering(
                                URI.create("https://fairwatch.srv.aau.dk/a/AAAA-bbbb_cccc.dddd"),
                                Samples.NOW.plusSeconds(7 * 86_400)))));
    }

    private static Strip strip(IntFunction<OptionalDouble> parts) {
        return new Strip(IntStream.range(0, Strip.PARTS).mapToObj(parts).toList());
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
        Letter letter = writer.write(new LetterWriter.Order(
                LetterWriter.Audience.OWNER,
                Person.at(Samples.USER),
                Samples.USER,
                List.of(matter(
                        run,
                        List.of(Samples.finding(run)),
                        List.of(Samples.use(run, 3, 0, 0, Optional.empty(), 0), Samples.unread(run, 4)))),
                List.of(),
                Optional.empty(),
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
    @DisplayName("all that can be said of one job, in English and in Danish")
    void everything() throws IOException {
        Matter matter = full(run, Samples.finding(run));
        assertGolden("full", write(Optional.of("en"), matter));
        assertGolden("full-da", write(Optional.of("da-DK, en"), full(run, inDanish(Samples.finding(run)))));
    }

    private static FindingRow inDanish(FindingRow row) {
        return new FindingRow(
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
                row.evidence(),
                row.progress(),
                Map.of("da", new FindingRow.Said("2 af jobbets 3 GPU'er har ikke lavet noget i 1 t 30 min.", """
                        Har programmet brug for flere GPU'er? De fleste bruger kun \u00e9n, hvis de ikke f\u00e5r andet at vide. \
                        Bed s\u00e5 om \u00e9n i dit batchscript:
                            #SBATCH --gres=gpu:1
                        En shell eller notebook holder p\u00e5 sine GPU'er, til du lukker den.""")));
    }

    @Test
    @DisplayName("two rules on one job are one block; several jobs are one mail, what wastes most first")
    void digest() throws IOException {
        FindingRow other = Samples.of(
                Samples.finding(run),
                "cpu-hoard",
                "It asked for 16 CPUs and used 1.",
                "Ask for fewer:\n    #SBATCH --cpus-per-task=2\n    #SBATCH --gres=gpu:1");
        Run second = Samples.run(83551, Samples.USER, "notebook");
        Letter letter = write(
                Optional.empty(),
                matter(
                        second,
                        List.of(Samples.finding(second)),
                        List.of(Samples.use(second, 5, 0.2, 0.9, Optional.of(Samples.NOW.minusSeconds(1800)), 1))),
                matter(run, List.of(Samples.finding(run), other), Samples.uses(run)));
        assertGolden("digest", letter);
        assertTrue(letter.subject().startsWith("[AI Cloud] Jobs 83549, 83551: "), letter.subject());
        assertTrue(letter.text().indexOf("1. Job 83549") < letter.text().indexOf("2. Job 83551"), letter.text());
        assertEquals(2, letter.text().split("What its GPUs did", -1).length - 1);
    }

    @Test
    @DisplayName("a digest of many jobs names the rest by number, and stays small enough to be shown whole")
    void manyJobs() {
        Matter[] matters = new Matter[300];
        for (int i = 0; i < matters.length; i++) {
            Run one = Samples.run(1000 + i, Samples.USER, "sweep");
            matters[i] = full(one, Samples.finding(one));
        }
        Letter letter = write(Optional.empty(), matters);
        assertTrue(letter.text().contains("And 290 more jobs"), letter.text());
        assertTrue(letter.html().length() < 102_000, "" + letter.html().length());
        assertTrue(letter.subject().contains("and 297 more"), letter.subject());
    }

    @Test
    @DisplayName(
            "staff and coordinators read whose jobs they are; who was told when; and no advice for others' scripts")
    void others() throws IOException {
        FindingRow told = Samples.finding(run).delivered(1, true, Samples.SINCE.plusSeconds(60));
        assertGolden(
                "staff",
                writer.write(order(
                        LetterWriter.Audience.STAFF,
                        Optional.empty(),
                        Optional.empty(),
                        matter(run, List.of(told), Samples.uses(run)))));
        Letter coordinator = writer.write(order(
                LetterWriter.Audience.COORDINATOR,
                Optional.of("da"),
                Optional.empty(),
                matter(run, List.of(told), Samples.uses(run))));
        assertTrue(coordinator.text().contains("hvor du er koordinator"), coordinator.text());
        assertFalse(coordinator.text().contains("#SBATCH"), coordinator.text());
    }

    @Test
    @DisplayName("what was done and what was answered is told in one sentence")
    void news() {
        Matter matter = matter(run, List.of(Samples.finding(run)), Samples.uses(run));
        Letter done = writer.write(order(
                LetterWriter.Audience.OWNER,
                Optional.of("da"),
                Optional.of(new LetterWriter.News.Done("cancel", Samples.NOW)),
                matter));
        assertEquals("[AI Cloud] Job 83549 blev afsluttet", done.subject());
        assertTrue(
                done.text().contains("Dit job 83549 på AI Cloud blev afsluttet man. 23 nov. 2026 14:00 CET."),
                done.text());
        Letter answered = writer.write(order(
                LetterWriter.Audience.STAFF,
                Optional.empty(),
                Optional.of(new LetterWriter.News.Answered("it is not mine <b>\r\nBcc: x")),
                matter));
        assertEquals("[AI Cloud] tlj@its.aau.dk answered about job 83549", answered.subject());
        assertTrue(answered.text().contains("The answer: it is not mine <b> Bcc: x"), answered.text());
        assertFalse(answered.html().contains("<b>"));
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
