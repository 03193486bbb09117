package io.fairwatch.collector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.util.Deque;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

class EveryTest {
    private static final Duration SHORT = Duration.ofMillis(1);
    private static final Duration NEVER = Duration.ofDays(1);

    private final Vertx vertx = Vertx.vertx();
    private final Logger logger = (Logger) LoggerFactory.getLogger(Every.class);
    private final ListAppender<ILoggingEvent> logged = new ListAppender<>();

    @BeforeEach
    void listen() {
        logged.start();
        logger.addAppender(logged);
        logger.setAdditive(false);
    }

    @AfterEach
    void close() throws Exception {
        logger.detachAppender(logged);
        logger.setAdditive(true);
        vertx.close().toCompletionStage().toCompletableFuture().get();
    }

    private static void await(CountDownLatch latch) throws InterruptedException {
        assertTrue(latch.await(60, TimeUnit.SECONDS));
    }

    @Test
    @DisplayName("the first round comes at once, however long the period")
    void atOnce() throws Exception {
        CountDownLatch ran = new CountDownLatch(1);
        new Every(vertx, "first", NEVER, ran::countDown).start();
        await(ran);
    }

    @Test
    @DisplayName("a round that takes longer than the period delays the next one: never two at a time")
    void oneAtATime() throws Exception {
        AtomicInteger now = new AtomicInteger();
        AtomicBoolean together = new AtomicBoolean();
        CountDownLatch rounds = new CountDownLatch(20);
        Every every = new Every(vertx, "slow", SHORT, () -> {
            together.compareAndSet(false, now.incrementAndGet() > 1);
            Thread.sleep(3); // longer than the period, so that a second round would have come
            now.decrementAndGet();
            rounds.countDown();
        });
        every.start();
        await(rounds);
        every.stop();
        assertFalse(together.get());
    }

    @Test
    @DisplayName("a round that may have a fifth of the time is followed by four times as long without one")
    void share() throws Exception {
        Deque<Long> rests = new ConcurrentLinkedDeque<>();
        AtomicLong ended = new AtomicLong();
        AtomicLong took = new AtomicLong();
        CountDownLatch rounds = new CountDownLatch(4);
        Every every = new Every(vertx, "large", SHORT, 5, () -> {
            long began = System.nanoTime();
            if (ended.get() != 0) {
                rests.add(began - ended.get() - 4 * took.get());
            }
            Thread.sleep(15);
            rounds.countDown();
            ended.set(System.nanoTime());
            took.set(ended.get() - began);
            return Duration.ofNanos(took.get());
        });
        every.start();
        await(rounds);
        every.stop();
        // whole milliseconds are counted
        rests.forEach(rest -> assertTrue(rest > -5_000_000, () -> "rested for " + rest + " ns too few"));
        assertTrue(rests.size() >= 3);
    }

    @Test
    @DisplayName("what a round waited for others makes nobody rest")
    void waited() throws Exception {
        AtomicLong longest = new AtomicLong();
        AtomicLong ended = new AtomicLong();
        CountDownLatch rounds = new CountDownLatch(4);
        Every every = new Every(vertx, "waits", SHORT, 1_000_000, () -> {
            long began = System.nanoTime();
            longest.accumulateAndGet(ended.get() == 0 ? 0 : began - ended.get(), Math::max);
            Thread.sleep(15);
            rounds.countDown();
            ended.set(System.nanoTime());
            return Duration.ZERO;
        });
        every.start();
        await(rounds);
        every.stop();
        assertTrue(longest.get() < 10_000_000_000L, () -> "rested for " + longest.get() + " ns");
    }

    @Test
    @DisplayName("what a round throws is logged, and the next round comes")
    void failure() throws Exception {
        AtomicInteger rounds = new AtomicInteger();
        CountDownLatch third = new CountDownLatch(3);
        Every every = new Every(vertx, "judge", SHORT, () -> {
            third.countDown();
            if (rounds.incrementAndGet() == 1) {
                throw new IllegalStateException("broken");
            }
        });
        every.start();
        await(third);
        every.stop();
        assertEquals(1, logged.list.size());
        ILoggingEvent event = logged.list.get(0);
        assertEquals(Level.ERROR, event.getLevel());
        assertEquals("a round of judge failed; the next one comes in PT0.001S", event.getFormattedMessage());
        assertEquals("broken", event.getThrowableProxy().getMessage());
    }

    @Test
    @DisplayName("what took longer than its period to fail is not tried again at once")
    void failsSlowly() throws Exception {
        AtomicLong ended = new AtomicLong();
        AtomicLong shortest = new AtomicLong(Long.MAX_VALUE);
        CountDownLatch third = new CountDownLatch(3);
        Every every = new Every(vertx, "slow-failure", Duration.ofMillis(40), () -> {
            if (ended.get() != 0) {
                shortest.accumulateAndGet(System.nanoTime() - ended.get(), Math::min);
            }
            third.countDown();
            Thread.sleep(60);
            ended.set(System.nanoTime());
            throw new IllegalStateException("broken");
        });
        every.start();
        await(third);
        every.stop();
        assertTrue(shortest.get() > 35_000_000, () -> "again after " + shortest.get() + " ns");
    }

    @Test
    @DisplayName("even an Error ends only its round")
    void error() throws Exception {
        CountDownLatch second = new CountDownLatch(2);
        Every every = new Every(vertx, "deep", SHORT, () -> {
            second.countDown();
            throw new StackOverflowError();
        });
        every.start();
        await(second);
        every.stop();
    }

    @Test
    @DisplayName("once stopped, no further round begins")
    void stop() throws Exception {
        AtomicInteger rounds = new AtomicInteger();
        CountDownLatch inRound = new CountDownLatch(1);
        CountDownLatch stopped = new CountDownLatch(1);
        Every every = new Every(vertx, "ends", SHORT, () -> {
            rounds.incrementAndGet();
            inRound.countDown();
            stopped.await();
        });
        every.start();
        await(inRound);
        every.stop();
        stopped.countDown();
        every.start();
        // the worker of this name takes one thing after the other: whatever was to follow the round has followed it
        CountDownLatch after = new CountDownLatch(1);
        vertx.setTimer(50, timer -> vertx.createSharedWorkerExecutor("ends").executeBlocking(() -> {
            after.countDown();
            return true;
        }));
        await(after);
        assertEquals(1, rounds.get());
    }
}
