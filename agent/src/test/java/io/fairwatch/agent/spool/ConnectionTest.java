package io.fairwatch.agent.spool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.net.PfxOptions;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** TLS with authorities that the JDK's keytool makes for this run. */
class ConnectionTest {
    private static Path directory;

    private static Vertx vertx;

    @BeforeAll
    static void makeCertificates(@TempDir Path ours) throws Exception {
        directory = ours;
        vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
        for (String authority : List.of("ours", "other")) {
            keytool("-genkeypair", "-alias", authority, "-dname", "CN=" + authority, "-ext", "bc:c", "-validity", "2");
            keytool("-exportcert", "-rfc", "-alias", authority, "-file", path(authority + ".pem"));
        }
        certificate("fits", "ip:127.0.0.1", "-0d");
        certificate("elsewhere", "dns:elsewhere.example.org", "-0d");
        certificate("expired", "ip:127.0.0.1", "-9d");
    }

    private static void certificate(String name, String subject, String begin) throws Exception {
        keytool(
                "-genkeypair",
                "-alias",
                name,
                "-dname",
                "CN=" + name,
                "-signer",
                "ours",
                "-ext",
                "san=" + subject,
                "-validity",
                "2",
                "-startdate",
                begin);
    }

    private static String path(String name) {
        return directory.resolve(name).toString();
    }

    private static void keytool(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString()));
        command.addAll(List.of(arguments));
        command.addAll(List.of("-keystore", path("keys.p12"), "-storepass", "secret"));
        if (command.contains("-genkeypair")) {
            command.addAll(List.of("-keyalg", "EC", "-storetype", "PKCS12"));
        }
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), said);
    }

    @AfterAll
    static void stop() {
        vertx.close().await();
    }

    private static int serve(Optional<String> certificate) {
        HttpServerOptions options = new HttpServerOptions();
        certificate.ifPresent(alias -> options.setSsl(true)
                .setKeyCertOptions(new PfxOptions()
                        .setPath(path("keys.p12"))
                        .setPassword("secret")
                        .setAlias(alias)));
        return vertx.createHttpServer(options)
                .requestHandler(request -> request.response().end("here I am"))
                .listen(0, "127.0.0.1")
                .await()
                .actualPort();
    }

    private static Future<Connection.Reply> get(String scheme, int port, Optional<Path> caFile) {
        Connection connection = new Connection(
                vertx,
                new Connection.Settings(
                        URI.create(scheme + "://127.0.0.1:" + port),
                        Optional.empty(),
                        caFile,
                        Duration.ofSeconds(20),
                        false));
        return Future.future(
                promise -> vertx.runOnContext(run -> connection.get("/").onComplete(promise)));
    }

    private static String refusal(String scheme, int port, Optional<Path> caFile) {
        return Connection.sentence(
                assertThrows(Throwable.class, () -> get(scheme, port, caFile).await()));
    }

    private static Optional<Path> ca(String name) {
        return Optional.of(directory.resolve(name + ".pem"));
    }

    @Test
    @DisplayName("a certificate that the configured authority signed for this name is accepted")
    void accepted() {
        Connection.Reply reply =
                get("https", serve(Optional.of("fits")), ca("ours")).await();
        assertEquals(new Connection.Reply(200, Optional.empty(), "here I am"), reply);
    }

    @Test
    @DisplayName("a certificate of another authority, and one of none that the system knows, is refused in clear words")
    void wrongAuthority() {
        int port = serve(Optional.of("fits"));
        for (Optional<Path> caFile : List.of(ca("other"), Optional.<Path>empty())) {
            String why = refusal("https", port, caFile);
            assertTrue(why.startsWith("the collector's certificate is not trusted: no authority in caFile"), why);
        }
    }

    @Test
    @DisplayName("a certificate for another host name is refused, and the names are said")
    void wrongName() {
        String why = refusal("https", serve(Optional.of("elsewhere")), ca("ours"));
        assertTrue(why.startsWith("the collector's certificate does not fit: "), why);
        assertTrue(why.contains("127.0.0.1"), why);
    }

    @Test
    @DisplayName("an expired certificate is refused, and said to be")
    void expired() {
        String why = refusal("https", serve(Optional.of("expired")), ca("ours"));
        assertTrue(why.contains("expired"), why);
    }

    @Test
    @DisplayName("https to a collector that speaks http, and the other way round, is told as that")
    void wrongScheme() {
        assertEquals(
                "the collector does not speak TLS there; is it http:// and not https://?",
                refusal("https", serve(Optional.empty()), ca("ours")));
        String why = refusal("http", serve(Optional.of("fits")), Optional.empty());
        assertEquals("the collector ended the connection; does it speak TLS, and is it https:// and not http://?", why);
    }

    @Test
    @DisplayName("an authority's file that is missing is named")
    void missingAuthority() {
        String why = refusal("https", serve(Optional.of("fits")), ca("missing"));
        assertTrue(why.contains("missing.pem"), why);
    }

    @Test
    @DisplayName("nobody listening, and no such name, is told as that")
    void nobody() {
        assertTrue(refusal("http", 1, Optional.empty()).contains("Connection refused"));
    }
}
