package io.fairwatch.collector.web;

import static io.fairwatch.collector.store.Given.at;
import static io.fairwatch.collector.store.GivenRun.job;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.collector.report.ReportDesk;
import io.fairwatch.collector.report.ReportMaker;
import io.fairwatch.collector.report.ReportSettings;
import io.fairwatch.collector.store.DuckDbStore;
import io.fairwatch.collector.store.Store;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServer;
import io.vertx.ext.web.Router;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Reports over HTTP, on one job of anna's. */
class ReportPagesTest {
    private static final String DAY = "?from=2026-11-20&to=2026-11-21";

    private final Vertx vertx = Vertx.vertx();
    private final Router router = Router.router(vertx);
    private Store store;
    private int port;

    @BeforeEach
    void serve(@TempDir Path directory) throws Exception {
        store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
        store.saveRuns(List.of(
                job(1).owner("anna", "es", "batch", "").until(at(1000)).gpus(2).run()));
        ReportMaker maker = new ReportMaker(
                store, ReportSettings.DEFAULTS, new ReportMaker.Site("the cluster", ZoneOffset.UTC, "test", List::of));
        new ReportPages(
                        vertx,
                        new ReportDesk(maker, () -> at(86_400)),
                        Optional.empty(),
                        ZoneOffset.UTC,
                        () -> at(86_400))
                .mount(router);
        HttpServer server = vertx.createHttpServer()
                .requestHandler(router)
                .listen(0, "127.0.0.1")
                .toCompletionStage()
                .toCompletableFuture()
                .join();
        port = server.actualPort();
    }

    @AfterEach
    void close() throws Exception {
        vertx.close().toCompletionStage().toCompletableFuture().join();
        store.close();
    }

    private HttpResponse<byte[]> get(String path) throws Exception {
        return HttpClient.newHttpClient()
                .send(
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/api/v1/report/" + path))
                                .build(),
                        HttpResponse.BodyHandlers.ofByteArray());
    }

    private String text(String path) throws Exception {
        HttpResponse<byte[]> response = get(path);
        assertEquals(200, response.statusCode());
        return new String(response.body(), StandardCharsets.UTF_8);
    }

    private String refused(int status, String path) throws Exception {
        HttpResponse<byte[]> response = get(path);
        assertEquals(status, response.statusCode());
        return new String(response.body(), StandardCharsets.UTF_8);
    }

    @Test
    @DisplayName("each form comes with its type, in the language asked for")
    void forms() throws Exception {
        assertTrue(text("report.html" + DAY).contains("GPU report"));
        assertTrue(text("report.html" + DAY + "&language=da").contains("GPU-rapport"));
        assertTrue(text("report.txt" + DAY).contains("anna"));
        assertTrue(text("by-user.csv" + DAY).contains("\n\"anna\",1,2000,"), text("by-user.csv" + DAY));
        assertTrue(text("report.json" + DAY).contains("\"gpu_seconds\" : 2000"));
        assertEquals(
                "application/pdf",
                get("report.pdf" + DAY).headers().firstValue("Content-Type").orElseThrow());
        assertEquals("PAR1", text("runs.parquet" + DAY).substring(0, 4));
    }

    @Test
    @DisplayName("the same period makes the same bytes, PDF and archive included")
    void sameBytes() throws Exception {
        byte[] first = get("all.zip" + DAY).body();
        byte[] pdf = get("report.pdf" + DAY).body();
        get("report.txt" + DAY + "&user=anna"); // so that the one that was kept is no longer
        assertArrayEquals(first, get("all.zip" + DAY).body());
        assertArrayEquals(pdf, get("report.pdf" + DAY).body());
    }

    @Test
    @DisplayName("people as asked for: pseudonyms have no name anywhere")
    void people() throws Exception {
        assertFalse(text("report.json" + DAY + "&people=pseudonyms").contains("anna"));
        assertFalse(text("report.txt" + DAY + "&people=none").contains("anna"));
        assertEquals(404, get("inactive-users.sh" + DAY + "&people=none").statusCode());
    }

    @Test
    @DisplayName("what is wrong is answered with a sentence")
    void refused() throws Exception {
        assertTrue(refused(400, "report.html?semester=2026-summer").startsWith("semester: 2026-summer (expected:"));
        assertTrue(refused(400, "report.html" + DAY + "&people=all").startsWith("people: all (expected:"));
        assertTrue(refused(400, "report.html" + DAY + "&language=sv").startsWith("language: sv (expected:"));
        assertTrue(refused(400, "report.html" + DAY + "&user=a&account=b").startsWith("user: comes with account"));
        assertTrue(refused(404, "report.exe" + DAY).startsWith("report: no file report.exe"));
        assertTrue(refused(404, "nothing.csv" + DAY).startsWith("report: it has no nothing.csv"));
        assertTrue(refused(409, "check" + DAY).startsWith("report: there is no Slurm"));
        assertEquals("", text("progress"));
    }

    @Test
    @DisplayName("the description of the API has just these addresses")
    void described() {
        Map<String, Described> described = ReportPages.described().stream()
                .collect(Collectors.toMap(one -> one.path().replace("{file}", ":file"), one -> one));
        assertEquals(
                router.getRoutes().stream().map(route -> route.getName()).collect(Collectors.toSet()),
                Set.copyOf(described.keySet()));
    }
}
