package io.fairwatch.fleet;

import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClientAgent;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.RequestOptions;
import java.util.Arrays;
import java.util.Optional;

/** Sends batches to the collector as an agent does, and notes what becomes of them. Confined to one event loop. */
final class Delivery {
    /** What the collector answered. */
    enum Answer {
        STORED,
        LATER,
        REFUSED,
        UNREACHABLE
    }

    /**
     * An answer.
     *
     * @param kind what became of the batch
     * @param retryAfterMillis how long the collector wants to be left alone; 0 when it does not say
     */
    record Reply(Answer kind, long retryAfterMillis) {}

    /**
     * What was sent since the last look.
     *
     * @param stored snapshots acknowledged
     * @param bytes packed size of the acknowledged batches
     * @param later batches that the collector did not take yet
     * @param refused batches that it will never take
     * @param unreachable batches that found nobody
     * @param medianMillis median time to an acknowledgement; 0 without any
     * @param p99Millis 99 of 100 came within that time
     * @param worstMillis the longest
     */
    record Count(
            long stored,
            long bytes,
            long later,
            long refused,
            long unreachable,
            int medianMillis,
            int p99Millis,
            int worstMillis) {}

    private final HttpClientAgent client;
    private final RequestOptions request;
    private final Optional<String> token;
    private long stored;
    private long bytes;
    private long later;
    private long refused;
    private long unreachable;
    private int[] millis = new int[1024];
    private int answers;

    Delivery(HttpClientAgent client, String collector, Optional<String> token) {
        this.client = client;
        this.request = new RequestOptions()
                .setMethod(HttpMethod.POST)
                .setAbsoluteURI(collector + "/api/v1/snapshots")
                .setIdleTimeout(60_000);
        this.token = token;
    }

    /** Sends a batch once. */
    Future<Reply> send(Buffer batch, int snapshots) {
        long began = System.nanoTime();
        return client.request(request)
                .compose(post -> {
                    post.putHeader("Content-Type", "application/x-ndjson").putHeader("Content-Encoding", "gzip");
                    token.ifPresent(secret -> post.putHeader("Authorization", "Bearer " + secret));
                    return post.send(batch);
                })
                .compose(response -> response.body().map(body -> reply(response)))
                .otherwise(new Reply(Answer.UNREACHABLE, 0))
                .onSuccess(reply -> note(reply.kind(), snapshots, batch.length(), began));
    }

    private static Reply reply(HttpClientResponse response) {
        String after = response.getHeader("Retry-After");
        return new Reply(
                answer(response.statusCode()),
                after != null && after.matches("\\d{1,6}") ? 1000 * Long.parseLong(after) : 0);
    }

    private static Answer answer(int status) {
        return status == 200 ? Answer.STORED : status == 503 || status == 429 ? Answer.LATER : Answer.REFUSED;
    }

    private void note(Answer answer, int snapshots, int length, long began) {
        switch (answer) {
            case STORED -> {
                stored += snapshots;
                bytes += length;
                if (answers == millis.length) {
                    millis = Arrays.copyOf(millis, 2 * answers);
                }
                millis[answers++] = (int) ((System.nanoTime() - began) / 1_000_000);
            }
            case LATER -> later++;
            case REFUSED -> refused++;
            case UNREACHABLE -> unreachable++;
        }
    }

    /** What was sent since the call before. */
    Count take() {
        Arrays.sort(millis, 0, answers);
        Count count = new Count(stored, bytes, later, refused, unreachable, quantile(0.5), quantile(0.99), quantile(1));
        stored = 0;
        bytes = 0;
        later = 0;
        refused = 0;
        unreachable = 0;
        answers = 0;
        return count;
    }

    private int quantile(double share) {
        return answers == 0 ? 0 : millis[Math.min(answers - 1, (int) (share * answers))];
    }
}
