package io.fairwatch.collector.lookup;

import static io.fairwatch.collector.lookup.Samples.COPENHAGEN;
import static io.fairwatch.collector.lookup.Samples.NOON;
import static io.fairwatch.collector.lookup.Samples.NOW;
import static io.fairwatch.collector.lookup.Samples.allocated;
import static io.fairwatch.collector.lookup.Samples.gpu;
import static io.fairwatch.collector.lookup.Samples.running;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.lookup.JobLookup.Answer;
import io.fairwatch.collector.lookup.Samples.Sent;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.StoreException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Two hours of a job: its first GPU works harder and harder and then stops, its second one is not heard for a while. */
class StripTest {
    private static final String NODE = "nv-ai-01";

    private Store store;
    private SeriesLookup series;

    @BeforeEach
    void open(@TempDir Path directory) throws StoreException {
        store = DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS);
        series = new SeriesLookup(store, () -> NOW);
        Samples.slurmSays(store, List.of(running(83549, allocated(NODE, 3), allocated(NODE, 4))));
        Samples.send(store, NODE, NOON, NOW.minusSeconds(10), (number, at) -> {
            double busy = number <= 160 ? number / 160.0 : 0;
            return number > 60 && number <= 120
                    ? Sent.of(gpu(NODE, 3, busy, 0, 30_994, 83549))
                    : Sent.of(gpu(NODE, 3, busy, 0, 30_994, 83549), gpu(NODE, 4, 0.5, 0, 30_994, 83549));
        });
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
    }

    private String page(Strip strip) throws StoreException {
        return strip.page(series.find("83549", Optional.empty(), Optional.empty(), 40), COPENHAGEN);
    }

    @Test
    @DisplayName("a line for each GPU: higher is busier, idle and unknown look different")
    void blocks() throws StoreException {
        assertEquals("""
                Job 83549: busy over time, a column is 3 min; _ idle, blank not known:
                nv-ai-01 #3  ▁▁▁▂▂▂▂▃▃▃▄▄▄▅▅▅▅▆▆▆▇▇▇███▆_____________
                nv-ai-01 #4  ▄▄▄▄▄▄▄▄▄▄          ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄
                             2026-11-20 13:00                   15:00
                """, page(new Strip(80, true, 0.01)));
    }

    @Test
    @DisplayName("where only ASCII is shown, marks take the place of blocks")
    void ascii() throws StoreException {
        String page = page(new Strip(80, false, 0.01));
        assertTrue(page.chars().allMatch(c -> c < 128), page);
        assertTrue(page.contains("nv-ai-01 #3  ...::::---===++++***###@@@*_____________"), page);
    }

    @Test
    @DisplayName("a strip in the page of a job is as wide as the terminal, and never wider")
    void width() throws StoreException {
        JobLookup jobs = new JobLookup(store, () -> NOW, Samples.SETTINGS);
        Answer.Found found = (Answer.Found) jobs.find("83549");
        for (int width : new int[] {40, 80, 120, 400}) {
            String page =
                    new JobText(COPENHAGEN).page(found, jobs.strips(found, new Strip(width, false, 0.01), COPENHAGEN));
            List<String> strips = page.lines()
                    .dropWhile(line -> !line.startsWith("Busy over time"))
                    .skip(1)
                    .limit(3)
                    .toList();
            assertTrue(strips.get(0).startsWith("nv-ai-01 #3  ."), page);
            int widest = strips.stream().mapToInt(String::length).max().orElse(0);
            assertTrue(widest <= width && widest > Math.min(width, 130) / 2, width + ": " + page);
        }
    }

    @Test
    @DisplayName("only the asked part of a run's life, in the asked number of slots, CSV with a line for each")
    void part() throws StoreException {
        String csv = new SeriesCsv()
                .csv(series.find(
                        "83549", Optional.of(NOON.plusSeconds(3600)), Optional.of(NOON.plusSeconds(5400)), 15));
        List<String> lines = csv.lines().toList();
        assertEquals(1 + 2 * 15, lines.size(), csv);
        assertTrue(
                lines.get(1)
                        .startsWith("83549,nv-ai-01,3,GPU-nv-ai-01-3,Tesla V100-SXM3-32GB,2026-11-20T13:00:00Z,120,"),
                csv);
        assertEquals(
                List.of(),
                series.find("83549", Optional.of(NOW), Optional.empty(), 15).runs());
        assertEquals(
                List.of(),
                series.find("4711", Optional.empty(), Optional.empty(), 15).runs());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2001})
    @DisplayName("more slots than there may be are refused with a sentence")
    void bounds(int points) {
        assertThrows(
                IllegalArgumentException.class, () -> series.find("83549", Optional.empty(), Optional.empty(), points));
    }
}
