package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.Run;
import io.fairwatch.collector.run.RunKey;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class SacctParserTest {
    private static final Instant AT = Instant.ofEpochSecond(1795190000);
    private static final String GPU_TRES = "billing=4,cpu=4,gres/gpu:v100=2,gres/gpu=2,mem=2G,node=1";

    private final SacctParser parser = new SacctParser("n0nce");

    /** A row of a job that ran from ...000 to ...600 on one node with two GPUs. */
    private static String row(String rawId, String id, String state, String name) {
        return row(rawId, id, state, "1795180000", "1795180600", "00:00:00", "60", "nv-ai-01.srv.aau.dk", name);
    }

    private static String row(
            String rawId,
            String id,
            String state,
            String start,
            String end,
            String suspended,
            String limit,
            String nodes,
            String name) {
        return String.join(
                "\u001fn0nce",
                rawId,
                id,
                "anna@es.aau.dk",
                "21002",
                "es",
                "batch",
                "normal",
                state,
                "1795179990",
                "1795179995",
                start,
                end,
                suspended,
                limit,
                GPU_TRES,
                "course",
                nodes,
                name);
    }

    private SacctParser.Ended parse(String... rows) throws SlurmException, IOException {
        return parse((String.join("\n", rows) + "\n").getBytes(StandardCharsets.UTF_8));
    }

    private SacctParser.Ended parse(byte[] printed) throws SlurmException, IOException {
        return parser.parse(new ByteArrayInputStream(printed), "lab", AT);
    }

    private Run only(String row) throws SlurmException, IOException {
        SacctParser.Ended ended = parse(row);
        assertEquals(List.of(), ended.problems());
        assertEquals(1, ended.runs().size());
        return ended.runs().get(0);
    }

    @Test
    @DisplayName("recorded 22.05: runs that ended, each with its suspension; those that run or wait are left out")
    void recorded() throws SlurmException, IOException {
        SacctParser.Ended ended =
                new SacctParser("a8c3f00d").parse(new ByteArrayInputStream(Samples.read("22.05/sacct.txt")), "lab", AT);

        assertEquals(List.of(), ended.problems());
        assertEquals(8, ended.rows());
        assertEquals(
                List.of("1 REQUEUED 2 0", "2 COMPLETED 0 0", "6 CANCELLED by 21090 1 7", "3_0 CANCELLED by 21090 1 0"),
                ended.runs().stream()
                        .map(run -> run.displayId() + " " + run.stateText() + " "
                                + run.allocation().gpus().orElse(-1) + " "
                                + run.suspended().toSeconds())
                        .toList());
        assertEquals(
                Optional.of(Instant.ofEpochSecond(1796011063)),
                ended.runs().get(0).end());
        assertEquals(
                Optional.of(Instant.ofEpochSecond(1796011049)),
                ended.runs().get(0).eligible());
    }

    @Test
    @DisplayName("an ended job is read whole; that its GPUs have no numbers is no news")
    void ended() throws SlurmException, IOException {
        assertEquals(
                new Run(
                        new RunKey("lab", 13, Instant.ofEpochSecond(1795180000)),
                        Run.JobIds.PLAIN,
                        new Run.Owner("anna@es.aau.dk", OptionalInt.of(21002), "es", "batch", "normal"),
                        "train|one",
                        false,
                        Instant.ofEpochSecond(1795179990),
                        Optional.of(Instant.ofEpochSecond(1795180600)),
                        Optional.of(Duration.ofMinutes(60)),
                        Duration.ZERO,
                        JobState.COMPLETED,
                        "COMPLETED",
                        new Run.Allocation(
                                List.of("nv-ai-01.srv.aau.dk"),
                                OptionalInt.of(4),
                                OptionalLong.of(2L << 30),
                                OptionalInt.of(2),
                                GPU_TRES),
                        List.of(),
                        AT,
                        new Run.Also(
                                Optional.of(Instant.ofEpochSecond(1795179995)),
                                Optional.empty(),
                                Optional.empty(),
                                Optional.of("course"))),
                only(row("13", "13", "COMPLETED", "train|one")));
    }

    @Test
    @DisplayName("array tasks and components keep their own raw id beside the number that people write")
    void ids() throws SlurmException, IOException {
        Run task = only(row("21", "5_1", "COMPLETED", ""));
        assertEquals(21, task.key().jobId());
        assertEquals("5_1", task.displayId());
        Run component = only(row("7", "6+1", "COMPLETED", ""));
        assertEquals(7, component.key().jobId());
        assertEquals("6+1", component.displayId());
    }

    @Test
    @DisplayName("who cancelled stays in the state's text")
    void cancelled() throws SlurmException, IOException {
        Run run = only(row("17", "17", "CANCELLED by 21004", ""));
        assertEquals(JobState.CANCELLED, run.state());
        assertEquals("CANCELLED by 21004", run.stateText());
    }

    @Test
    @DisplayName("a requeued job has a run for each of its lives")
    void requeued() throws SlurmException, IOException {
        SacctParser.Ended ended = parse(
                row("19", "19", "REQUEUED", "1795180000", "1795180100", "00:00:00", "60", "n1", "j"),
                row("19", "19", "FAILED", "1795180300", "1795180400", "00:00:00", "60", "n1", "j"));
        assertEquals(
                List.of(Instant.ofEpochSecond(1795180000), Instant.ofEpochSecond(1795180300)),
                ended.runs().stream().map(run -> run.key().start()).toList());
    }

    @Test
    @DisplayName("jobs that run, wait, run away or never started have no end to tell, and are no problem")
    void notEnded() throws SlurmException, IOException {
        SacctParser.Ended ended = parse(
                row("1", "1", "RUNNING", "1795180000", "Unknown", "00:00:00", "60", "n1", "runaway"),
                row("2", "2", "PENDING", "Unknown", "Unknown", "00:00:00", "60", "None assigned", "waits"),
                row("3", "3", "CANCELLED by 0", "None", "1795180600", "00:00:00", "60", "None assigned", "waited"),
                row("4", "4", "CANCELLED", "1795180600", "1795180600", "00:00:00", "60", "None assigned", "waited"),
                row("5", "5_[3-4%2]", "PENDING", "Unknown", "Unknown", "00:00:00", "60", "None assigned", "rest"));
        assertEquals(List.of(), ended.runs());
        assertEquals(List.of(), ended.problems());
        assertEquals(5, ended.rows());
    }

    @Test
    @DisplayName("limits may be missing, suspensions may last for days")
    void limitAndSuspended() throws SlurmException, IOException {
        Run run = only(row("1", "1", "TIMEOUT", "1795180000", "1795180600", "1-02:03:04", "UNLIMITED", "n1", ""));
        assertEquals(Optional.empty(), run.timeLimit());
        // 1 d 2 h 3 min 4 s
        assertEquals(Duration.ofSeconds(86400 + 2 * 3600 + 3 * 60 + 4), run.suspended());
        assertEquals(Duration.ofSeconds(101), SacctParser.elapsed("00:01:41"));
        assertEquals(Duration.ofSeconds(101), SacctParser.elapsed("01:41"));
        assertEquals(Duration.ZERO, SacctParser.elapsed("00:00.030"));
        assertEquals(Duration.ZERO, SacctParser.elapsed(""));
        assertEquals(
                Optional.empty(),
                only(row("1", "1", "TIMEOUT", "1795180000", "1795180600", "00:00:00", "Partition_Limit", "n1", ""))
                        .timeLimit());
    }

    @Test
    @DisplayName("a name may hold newlines, every delimiter but this call's, and a forged row: it stays a name")
    void hostileName() throws SlurmException, IOException {
        String name = "x|y\u001f<b>\n" + row("99", "99", "COMPLETED", "forged").replace("n0nce", "guess") + "\n\nend";
        SacctParser.Ended ended = parse(row("1", "1", "COMPLETED", name), row("2", "2", "COMPLETED", "next"));

        assertEquals(List.of(), ended.problems());
        assertEquals(2, ended.rows());
        assertEquals(name, ended.runs().get(0).name());
        assertEquals("next", ended.runs().get(1).name());
    }

    @Test
    @DisplayName("invalid UTF-8 in a name costs one letter")
    void invalidUtf8() throws SlurmException, IOException {
        byte[] bytes = (row("1", "1", "COMPLETED", "tr\u00a7in") + "\n").getBytes(StandardCharsets.ISO_8859_1);
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = bytes[i] == (byte) 0xa7 ? (byte) 0xff : bytes[i];
        }
        assertEquals("tr\ufffdin", parse(bytes).runs().get(0).name());
    }

    @Test
    @DisplayName("broken rows are left out and counted")
    void brokenRows() throws SlurmException, IOException {
        SacctParser.Ended ended = parse(
                row("1", "1", "COMPLETED", "good"),
                "2\u001fn0nce2\u001fn0nceCOMPLETED",
                row("3", "3", "COMPLETED", "1795180600", "1795180000", "00:00:00", "60", "n1", "ends before it starts"),
                row("4.batch", "4", "COMPLETED", "a step"),
                row("5", "5", "COMPLETED", "1795180000", "1795180600", "?", "60", "n1", ""),
                row("6", "6", "COMPLETED", "1795180000", "1795180600", "00:00:00", "60", "n[", ""));
        assertEquals(List.of("good"), ended.runs().stream().map(Run::name).toList());
        assertEquals(5, ended.problems().size(), ended.problems().toString());
    }

    @Test
    @DisplayName("dates instead of seconds are refused: nobody knows their time zone")
    void dates() {
        SlurmException refused = assertThrows(
                SlurmException.class,
                () -> parse(row(
                        "1",
                        "1",
                        "COMPLETED",
                        "2026-11-20T12:00:00",
                        "2026-11-20T13:00:00",
                        "00:00:00",
                        "60",
                        "n1",
                        "")));
        assertTrue(refused.toString().contains("SLURM_TIME_FORMAT"), refused.toString());
    }

    @Test
    @DisplayName("nothing printed is nobody who ended; something else printed is no answer")
    void nothing() throws SlurmException, IOException {
        assertEquals(0, parse(new byte[0]).rows());
        assertThrows(SlurmException.class, () -> parse("Slurm accounting storage is disabled"));
    }

    @Test
    @DisplayName("the window is relative to now and open at its end when that is now; no state is asked for")
    void window() {
        List<String> open = parser.window(AT.minusSeconds(600), AT, AT);
        assertTrue(open.containsAll(List.of("-X", "-D", "-a", "-P", "-n", "--delimiter=\u001fn0nce", "now-601")));
        assertFalse(open.contains("-E"));
        assertFalse(open.contains("-s"));

        List<String> closed = parser.window(AT.minusSeconds(7200), AT.minusSeconds(3600), AT);
        assertEquals("now-7201", closed.get(closed.indexOf("-S") + 1));
        assertEquals("now-3600", closed.get(closed.indexOf("-E") + 1));
    }

    @Test
    @DisplayName("the name is the last column, so that it can be anything")
    void nameIsLast() {
        String format = parser.jobs(List.of(1L, 2L)).stream()
                .filter(word -> word.startsWith("--format="))
                .findFirst()
                .orElseThrow();
        assertTrue(format.endsWith(",JobName"), format);
        assertTrue(parser.jobs(List.of(1L, 2L)).contains("1,2"));
    }
}
