package io.fairwatch.collector.report;

import static io.fairwatch.collector.Golden.assertGolden;
import static io.fairwatch.collector.store.Given.allocated;
import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.Given.gpu;
import static io.fairwatch.collector.store.Given.snapshot;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.fairwatch.agent.wire.NodeSnapshot;
import io.fairwatch.collector.report.Report.Scope;
import io.fairwatch.collector.report.ReportSettings.People;
import io.fairwatch.collector.run.JobState;
import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.FindingRow;
import io.fairwatch.collector.store.Store;
import io.fairwatch.collector.store.Store.SlurmView;
import io.fairwatch.collector.store.Store.StoreException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.apache.pdfbox.Loader;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.text.PDFTextStripper;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A small report as it is read: any change of it is seen here. One node, three jobs, one of them idle and ended. */
class GoldenReportTest {
    private static final Period PERIOD = new Period("2026-11-20 to 2026-11-21", at(-46_800), at(39_600));

    private Store store;

    @BeforeEach
    void given(@TempDir Path directory) throws StoreException {
        store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
        SlurmNode node = new SlurmNode(
                "nv-ai-01", "mixed", OptionalInt.of(64), OptionalLong.of(512L << 30), OptionalInt.of(2), "gpu:v100:2");
        for (int second = -46_800; second <= 39_600; second += 600) {
            store.saveView(new SlurmView(at(second), "lab", List.of(), List.of(), List.of(node)));
        }
        List<NodeSnapshot> snapshots = new ArrayList<>();
        for (int end = 30; end <= 7200; end += 30) {
            snapshots.add(
                    snapshot("nv-ai-01", end, at(end), gpu("GPU-a", end <= 1800 ? 0 : 0.8, 0), gpu("GPU-b", 0.6, 0)));
        }
        store.append(snapshots);
        store.saveRuns(List.of(
                job(1).owner("anna@es.aau.dk", "es.shj", "batch", "normal")
                        .until(at(1800))
                        .state(JobState.CANCELLED)
                        .on(allocated("nv-ai-01", 0, "GPU-a"))
                        .run(),
                job(2).owner("bob <b>@cs.aau.dk", "cs", "batch", "allgpus")
                        .until(at(7200))
                        .on(allocated("nv-ai-01", 1, "GPU-b"))
                        .run(),
                job(3).owner("carl@cs.aau.dk", "cs", "short", "normal")
                        .from(at(1800))
                        .until(at(7200))
                        .on(allocated("nv-ai-01", 0, "GPU-a"))
                        .run()));
        store.saveFindings(
                List.of(new FindingRow(
                        job(1).run().key(),
                        "idle-gpu",
                        at(0),
                        FindingRow.State.TOLD,
                        at(1800),
                        Optional.empty(),
                        Optional.of(at(900)),
                        "anna@es.aau.dk",
                        "idle",
                        "end it",
                        "{}",
                        FindingRow.Progress.NONE)),
                List.of());
        store.saveAccountingUntil(at(39_600));
    }

    @AfterEach
    void close() throws StoreException {
        store.close();
    }

    private ReportFiles files(String language) throws StoreException {
        ReportSettings settings = new ReportSettings(
                SemesterCalendar.AALBORG,
                Map.of("Technology", List.of("cs", "es")),
                Map.of(),
                ReportSettings.Tree.NONE,
                Map.of(),
                People.NAMES,
                OptionalDouble.of(120),
                "(an example)",
                "1cpu",
                Duration.ofDays(90),
                0.01);
        Report report = new ReportMaker(
                        store,
                        settings,
                        new ReportMaker.Site(
                                "AI Cloud",
                                ZoneId.of("Europe/Copenhagen"),
                                "1.0",
                                () -> List.of(new ReportMaker.RuleInForce(
                                        "idle-gpu", "GPUs that do nothing", "window=30 min, idle=0.01"))))
                .make(PERIOD, new Scope.Cluster(), People.NAMES, step -> {});
        return new ReportFiles(report, language);
    }

    @Test
    @DisplayName("the report as text, in English and Danish, and as a letter")
    void text() throws Exception {
        assertGolden("report/report.txt", files("en").text());
        assertGolden("report/report-da.txt", files("da").text());
        assertGolden("report/letter-da.txt", files("da").summary());
    }

    @Test
    @DisplayName("the report as a page, and its tables for programs")
    void page() throws Exception {
        assertGolden("report/report.html", files("en").html());
        assertGolden("report/all.csv", files("en").csv());
    }

    @Test
    @DisplayName("the report as PDF: its words, and the same bytes twice")
    void pdf() throws Exception {
        byte[] pdf = files("en").pdf();
        try (PDDocument document = Loader.loadPDF(pdf)) {
            assertGolden("report/pdf.txt", new PDFTextStripper().getText(document));
        }
        assertArrayEquals(pdf, files("en").pdf());
    }
}
