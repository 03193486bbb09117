package io.fairwatch.agent.metrics;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.util.Optional;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Serves {@code /metrics} and {@code /healthz}. Confined to its event loop. */
public final class MetricsServer {
    private static final Logger log = LoggerFactory.getLogger(MetricsServer.class);

    private final AgentMetrics metrics;
    private final Supplier<Optional<String>> trouble;
    private Future<String> making = Future.succeededFuture("");

    /**
     * @param trouble what keeps the agent from its work, in a sentence; empty when nothing does
     */
    public MetricsServer(AgentMetrics metrics, Supplier<Optional<String>> trouble) {
        this.metrics = metrics;
        this.trouble = trouble;
    }

    /** Listens; fails when the address is taken. */
    public Future<HttpServer> listen(Vertx vertx, String address, int port) {
        return vertx.createHttpServer()
                .requestHandler(request -> answer(vertx, request))
                .listen(port, address);
    }

    private void answer(Vertx vertx, HttpServerRequest request) {
        HttpServerResponse response = request.response();
        if (!HttpMethod.GET.equals(request.method()) && !HttpMethod.HEAD.equals(request.method())) {
            text(response.setStatusCode(405), "only GET\n");
            return;
        }
        switch (request.path()) {
            case "/metrics" ->
                newPage(vertx)
                        .onSuccess(
                                page -> response.putHeader("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                                        .end(page))
                        .onFailure(cause -> {
                            log.error("metrics could not be shown", cause);
                            text(response.setStatusCode(500), "the page could not be made; the agent's log says why\n");
                        });
            case "/healthz" -> {
                Optional<String> sentence = trouble.get();
                text(response.setStatusCode(sentence.isPresent() ? 503 : 200), sentence.orElse("ok") + "\n");
            }
            default -> text(response.setStatusCode(404), "there are /metrics and /healthz\n");
        }
    }

    /** On a worker, because some series are read from /proc while they are asked for; scrapes that meet share a page. */
    private Future<String> newPage(Vertx vertx) {
        if (making.isComplete()) {
            making = vertx.executeBlocking(metrics::text, false);
        }
        return making;
    }

    private static void text(HttpServerResponse response, String text) {
        response.putHeader("Content-Type", "text/plain; charset=utf-8").end(text);
    }
}
