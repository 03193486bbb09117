package io.fairwatch.agent.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fairwatch.agent.wire.WireCodec.WireException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WireCodecTest {
    private final WireCodec codec = new WireCodec();

    @Test
    @DisplayName("the example message comes back as it went out")
    void roundTrip() throws Exception {
        NodeSnapshot example = codec.parse(example());
        assertEquals(List.of(example), codec.unpack(codec.pack(example), 1_000_000));
    }

    @Test
    @DisplayName("packed snapshots joined end to end are read as one batch, in order")
    void joinedMembers() throws Exception {
        NodeSnapshot example = codec.parse(example());
        NodeSnapshot next = codec.parse(example().replace("\"sequence\": 4711", "\"sequence\": 4712"));
        ByteArrayOutputStream joined = new ByteArrayOutputStream();
        joined.writeBytes(codec.pack(example));
        joined.writeBytes(codec.pack(next));
        assertEquals(List.of(example, next), codec.unpack(joined.toByteArray(), 1_000_000));
    }

    @Test
    @DisplayName("a missing optional key is absent, not zero")
    void absentIsNotZero() throws Exception {
        GpuReading second = codec.parse(example()).gpus().get(1);
        assertEquals(Optional.empty(), second.utilization());
        assertEquals(OptionalLong.empty(), second.memoryUsedBytes());
        assertEquals(OptionalDouble.empty(), second.powerWatts());
        assertEquals(OptionalLong.empty(), second.device().memoryTotalBytes());
        assertEquals(Optional.of(List.of()), second.processes());
    }

    @Test
    @DisplayName("an absent reading is not written")
    void absentIsNotWritten() throws Exception {
        String json = codec.pretty(codec.parse(example()));
        assertEquals(1, json.split("power_watts", -1).length - 1);
    }

    @Test
    @DisplayName("unknown keys are ignored")
    void unknownKeys() throws Exception {
        String newer = example().replace("\"version\": 1,", "\"version\": 1, \"from_the_future\": {\"a\": [1]},");
        assertEquals(codec.parse(example()), codec.parse(newer));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            "mean_ratio": 0.94             | "mean_ratio": 1.7               | utilization.mean_ratio: 1.7 (expected: 0..1)
            "node": "nv-ai-01"             | "node": "a\\nb"                 | node: "a?b" (expected:
            "node": "nv-ai-01"             | "node": "../../etc"             | node: "../../etc" (expected:
            "node": "nv-ai-01",            |                                 | node
            "version": 1,                  | "version": 2,                   | version: 2 (expected: 1)
            "sequence": 4711               | "sequence": 0                   | sequence: 0 (expected: 1 or more)
            "sequence": 4711,              |                                 | sequence
            "pid": 40123                   | "pid": -1                       | pid: -1 (expected: 1 or more)
            "at": "2026-11-20T12:00:30Z"   | "at": "+12345-01-01T00:00:00Z"  | at: +12345
            "period": "PT30S"              | "period": "PT-30S"              | period: PT-30S (expected:
            "gpus": [                      | "gpus": 5, "x": [               | gpus
            "kind": "COMPUTE"              | "kind": "<script>"              | kind
            """)
    @DisplayName("what is wrong is refused by name")
    void refused(String was, String becomes, String why) {
        String broken = example().replace(was, becomes == null ? "" : becomes);
        WireException refused = assertThrows(WireException.class, () -> codec.parse(broken));
        assertTrue(refused.toString().contains(why), refused.toString());
    }

    @Test
    @DisplayName("what is not gzip, cut short, or endless is refused")
    void notABatch() throws Exception {
        byte[] packed = codec.pack(codec.parse(example()));
        assertThrows(WireException.class, () -> codec.unpack("hello".getBytes(StandardCharsets.UTF_8), 1000));
        assertThrows(WireException.class, () -> codec.unpack(new byte[0], 1000));
        byte[] cut = java.util.Arrays.copyOf(packed, packed.length - 20);
        assertThrows(WireException.class, () -> codec.unpack(cut, 1_000_000));
        WireException large = assertThrows(WireException.class, () -> codec.unpack(packed, 100));
        assertTrue(large.toString().contains("more than 100 bytes"), large.toString());
    }

    static String example() {
        try (InputStream in = WireCodec.class.getResourceAsStream("example-snapshot.json")) {
            return new String(java.util.Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
