package io.fairwatch.collector.usage;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.GpuDetail;
import io.fairwatch.agent.wire.GpuDevice;
import io.fairwatch.agent.wire.GpuReading;
import io.fairwatch.agent.wire.Utilization;
import io.fairwatch.collector.store.GpuReadingAt;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;
import java.util.function.Supplier;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class NewestReadingTest {
    private static final GpuDevice DEVICE = new GpuDevice(
            "GPU-a0", 0, OptionalInt.of(3), Optional.empty(), "V100", OptionalLong.of(32L << 30), Optional.empty());

    private final Random random = new Random(20);

    private <T> Optional<T> maybe(Supplier<T> value) {
        return random.nextBoolean() ? Optional.of(value.get()) : Optional.empty();
    }

    private OptionalDouble real() {
        return random.nextBoolean()
                ? OptionalDouble.of(random.nextInt(3) * random.nextDouble())
                : OptionalDouble.empty();
    }

    private OptionalLong whole() {
        return random.nextBoolean()
                ? OptionalLong.of((long) random.nextInt(3) << random.nextInt(40))
                : OptionalLong.empty();
    }

    private Utilization utilization() {
        return new Utilization(
                random.nextDouble(),
                random.nextInt(2),
                random.nextDouble(),
                1 + random.nextInt(9),
                random.nextBoolean() ? Utilization.Source.RING : Utilization.Source.POLL);
    }

    private GpuDetail detail() {
        return new GpuDetail(
                random.nextBoolean() ? OptionalDouble.of(random.nextInt(90) - 10) : OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                random.nextInt(4) == 0 ? Optional.of(List.of("sw_power_cap")) : Optional.empty(),
                Optional.empty(),
                random.nextInt(4) == 0
                        ? Optional.of(new GpuDetail.Traffic(
                                OptionalDouble.of(5),
                                OptionalDouble.empty(),
                                OptionalDouble.empty(),
                                OptionalDouble.of(0)))
                        : Optional.empty(),
                Optional.empty());
    }

    private GpuReadingAt reading(int second) {
        GpuReading read = new GpuReading(
                DEVICE,
                maybe(this::utilization),
                maybe(this::utilization),
                whole(),
                whole(),
                real(),
                real(),
                real(),
                random.nextBoolean() ? OptionalDouble.of(random.nextInt(90) - 10) : OptionalDouble.empty(),
                real(),
                Optional.empty(),
                maybe(this::detail));
        return GpuReadingAt.kept("node-" + random.nextInt(2), Instant.ofEpochMilli(1000L * second + 7), read, DEVICE);
    }

    @Test
    @DisplayName("what was set is what comes back, of the newest alone: absent is not zero, nor what was before")
    void comesBack() {
        NewestReading newest = new NewestReading(reading(0));
        int told = 0;
        for (int second = 1; second < 5000; second++) {
            GpuReadingAt next = reading(second);
            newest.set(next);
            assertEquals(next, newest.get());
            assertEquals(next.at().toEpochMilli(), newest.atMs());
            assertEquals(next.node(), newest.node());
            told += next.reading().detail().isPresent() ? 1 : 0;
        }
        assertTrue(told > 1000, "it tried little of what is seldom: " + told);
    }
}
