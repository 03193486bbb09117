package io.fairwatch.agent.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;
import java.util.UUID;
import java.util.stream.IntStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What a large node's snapshot takes on the wire with all that a node can tell, no two numbers alike and hardly a zero:
 * more than any real one, which is to stay below 8 KB ({@code deploy/bench/agent} measures it).
 */
class PackedSizeTest {
    private static final long SEED = 4711;

    private final Random random = new Random(SEED);
    private final WireCodec codec = new WireCodec();

    @Test
    @DisplayName("a snapshot of 16 GPUs, 40 jobs and 20 users takes less than 9.2 KB at worst")
    void large() throws Exception {
        NodeSnapshot snapshot = new NodeSnapshot(
                NodeSnapshot.VERSION,
                "nv-ai-01",
                UUID.nameUUIDFromBytes(new byte[] {1}).toString(),
                1_795_231_656_201L,
                Instant.parse("2026-11-20T12:00:00.123456Z"),
                Duration.ofNanos(30_000_412_345L),
                new AgentState(
                        "0.1.0", Instant.parse("2026-11-19T12:00:00.5Z"), 0, some(80), OptionalLong.of(88_166_400)),
                Map.of(
                        "nvml", new ProbeOutcome.Read(Duration.ofNanos(3_456_789)),
                        "jobs", new ProbeOutcome.Read(Duration.ofNanos(6_456_781)),
                        "host", new ProbeOutcome.Read(Duration.ofNanos(556_783)),
                        "users", new ProbeOutcome.Read(Duration.ofNanos(256_785)),
                        "processes", new ProbeOutcome.Read(Duration.ofNanos(9_456_787))),
                Optional.of(new HostReading(
                        96, some(1), 1_505_280_000_000L, bytes().getAsLong(), some(90), bytes(), bytes())),
                Optional.of(new GpuDriver("535.183.01", Optional.empty())),
                IntStream.range(0, 16).mapToObj(this::gpu).toList(),
                IntStream.range(0, 40).mapToObj(this::job).toList(),
                IntStream.range(0, 20).mapToObj(this::user).toList(),
                List.of());
        byte[] packed = codec.pack(snapshot);
        System.out.println("packed snapshot of a large node: " + packed.length + " bytes, seed " + SEED);
        assertTrue(packed.length < 9_200, packed.length + " bytes, seed " + SEED);
        assertEquals(40, codec.unpack(packed, 1_000_000).get(0).jobs().size());
    }

    @ParameterizedTest
    @CsvSource({
        "0.9033333333333333, 0.9033",
        "0.00004,            0.0",
        "299.4567,           299.4567",
        "123456.123456,      123456.1235",
        "12345678.987654,    12345678.99",
        "1.5E18,             1.5E18",
        "0,                  0.0",
    })
    @DisplayName("fractions are rounded to what is measured")
    void rounded(double value, double expected) {
        assertEquals(expected, WireCodec.round(value));
    }

    private OptionalDouble some(double most) {
        return OptionalDouble.of(random.nextDouble() * most);
    }

    /** Of all magnitudes, as what jobs and people use; small ones are as frequent as large ones. */
    private OptionalDouble any(double most) {
        return OptionalDouble.of(Math.exp(random.nextDouble() * Math.log(most)) - 1);
    }

    /** Memory comes in pages. */
    private OptionalLong bytes() {
        return OptionalLong.of(4096 * Math.round(any(5e6).getAsDouble()));
    }

    private OptionalDouble megahertz() {
        return OptionalDouble.of((1000 + random.nextInt(100) * 15) * 1e6);
    }

    private GpuReading gpu(int index) {
        UUID uuid = new UUID(random.nextLong(), random.nextLong());
        return new GpuReading(
                new GpuDevice(
                        "GPU-" + uuid,
                        index,
                        OptionalInt.of(index),
                        Optional.of("00000000:%02X:00.0".formatted(index + 52)),
                        "NVIDIA H100 80GB HBM3",
                        OptionalLong.of(85_520_809_984L),
                        Optional.empty()),
                Optional.of(utilization()),
                Optional.of(utilization()),
                bytes(),
                OptionalLong.of(573_177_856),
                OptionalDouble.of(random.nextInt(700_000) / 1e3),
                OptionalDouble.of(700),
                OptionalDouble.of(random.nextInt(2_000_000_000) / 1e3),
                OptionalDouble.of(30 + random.nextInt(60)),
                megahertz(),
                Optional.of(List.of(new GpuProcess(
                        100_000 + random.nextInt(900_000),
                        GpuProcess.Kind.COMPUTE,
                        OptionalInt.of(22_000 + random.nextInt(20)),
                        Optional.of(new JobRef(748_001 + index, Optional.of("batch"), JobRef.Evidence.CGROUP)),
                        bytes(),
                        some(1)))),
                Optional.of(new GpuDetail(
                        OptionalDouble.of(40 + random.nextInt(50)),
                        megahertz(),
                        some(1),
                        Optional.of(random.nextBoolean() ? List.of("sw_power_cap") : List.of()),
                        Optional.of(new GpuDetail.Activity(
                                some(1), some(1), some(1), some(1), some(1), some(0.01), some(1), some(1), some(1))),
                        Optional.of(new GpuDetail.Traffic(some(2e10), some(2e10), some(2e11), some(2e11))),
                        Optional.of(new GpuDetail.Health(
                                OptionalLong.of(0),
                                OptionalLong.of(0),
                                OptionalLong.of(random.nextInt(100)),
                                OptionalLong.of(0),
                                OptionalLong.of(0),
                                Optional.of(false),
                                OptionalLong.of(0),
                                Optional.of(List.of()),
                                OptionalInt.empty())))));
    }

    private Utilization utilization() {
        return new Utilization(random.nextDouble(), 1, random.nextInt(101) / 100.0, 180, Utilization.Source.RING);
    }

    private JobCgroup job(int index) {
        OptionalLong anonymous = bytes();
        OptionalLong cache = bytes();
        return new JobCgroup(
                748_001 + index,
                Optional.empty(),
                OptionalInt.of(22_000 + random.nextInt(20)),
                OptionalInt.of(1 + random.nextInt(50)),
                any(5e6),
                anonymous,
                OptionalLong.of(anonymous.getAsLong() + cache.getAsLong()),
                bytes(),
                OptionalLong.of(68_719_476_736L),
                Optional.of(new JobDetail(
                        OptionalInt.of(6),
                        OptionalInt.of(random.nextInt(400)),
                        any(5e6),
                        any(1e5),
                        anonymous,
                        OptionalLong.of(0),
                        cache,
                        bytes(),
                        OptionalLong.of(0),
                        OptionalLong.of(0),
                        OptionalLong.of(random.nextInt(3)),
                        bytes(),
                        bytes(),
                        any(1e4),
                        any(10),
                        any(1e3),
                        Optional.of(index < 16 ? List.of(index) : List.of()))));
    }

    private UserUse user(int index) {
        return new UserUse(
                22_000 + index,
                Optional.of("user%02d@its.example.org".formatted(index)),
                random.nextInt(200),
                random.nextInt(100),
                any(3000),
                bytes().getAsLong(),
                any(3000),
                bytes().getAsLong(),
                OptionalLong.empty());
    }
}
