package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.NodeSnapshot;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;

/**
 * A process of its own that appends an hour of readings at a time and lets the store seal, roll up and forget beside it, for
 * as long as it is let. Prints {@code ack N} once the store has everything up to sequence N. Arguments: directory, first
 * sequence, and a step at which to stand still for ever, after {@code at STEP} was printed; {@code -} for none.
 */
public final class SealingMain {
    /** One snapshot in five minutes, for an hour in each six, so that days pass quickly and all are rolled up. */
    static final Duration EVERY = Duration.ofMinutes(5);

    static final Duration BATCH_EVERY = Duration.ofHours(6);

    /** Snapshots of an hour, appended together. */
    static final int BATCH = 12;

    /** How many hours may wait to be sealed. */
    private static final int MOST_WAITING = 2;

    static final DuckDbStore.Settings SETTINGS = new DuckDbStore.Settings(
            1, 128, 1, Duration.ofSeconds(60), new Keep(Duration.ofDays(1), Duration.ofDays(730), Map.of()), 0.01, 0);

    private SealingMain() {}

    public static void main(String[] arguments) throws Exception {
        String stop = arguments[2];
        AtomicLong hour = new AtomicLong(Long.parseLong(arguments[1]) / BATCH);
        AtomicLong sealedTo = new AtomicLong(hour.get());
        try (DuckDbStore store = DuckDbStore.open(Path.of(arguments[0]), SETTINGS, step -> {
            if (step.name().equals(stop)) {
                System.out.println("at " + step);
                standStill();
            }
        })) {
            Thread upkeep = new Thread(() -> {
                while (true) {
                    long now = hour.get();
                    try {
                        store.maintain(at(now * BATCH));
                    } catch (Store.StoreException e) {
                        e.printStackTrace();
                        Runtime.getRuntime().halt(3);
                    }
                    sealedTo.set(now);
                }
            });
            upkeep.setDaemon(true);
            upkeep.start();
            while (true) {
                while (hour.get() - sealedTo.get() > MOST_WAITING) {
                    Thread.sleep(1);
                }
                long first = hour.get() * BATCH + 1;
                store.append(LongStream.range(first, first + BATCH)
                        .mapToObj(SealingMain::snapshot)
                        .toList());
                System.out.println("ack " + (first + BATCH - 1));
                hour.incrementAndGet();
            }
        }
    }

    private static void standStill() {
        try {
            new CountDownLatch(1).await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    static Instant at(long sequence) {
        return Given.NOON
                .plus(BATCH_EVERY.multipliedBy((sequence - 1) / BATCH))
                .plus(EVERY.multipliedBy((sequence - 1) % BATCH + 1));
    }

    /** The sequence of the snapshot of a time. */
    static long sequence(Instant at) {
        long seconds = Duration.between(Given.NOON, at).toSeconds();
        return seconds / BATCH_EVERY.toSeconds() * BATCH + seconds % BATCH_EVERY.toSeconds() / EVERY.toSeconds();
    }

    /** Figures follow from the sequence, so that a torn row shows. */
    static NodeSnapshot snapshot(long sequence) {
        return Given.snapshot(
                "node-a",
                Given.BOOT,
                sequence,
                at(sequence),
                List.of(
                        Given.gpu("GPU-a", 0.5, 100.0 * sequence, Given.process(1, 1)),
                        Given.gpu("GPU-b", 0, 100.0 * sequence, Given.process(2, 1))),
                List.of(Given.cgroup(1, (double) sequence, 1000 + sequence, 1)));
    }
}
