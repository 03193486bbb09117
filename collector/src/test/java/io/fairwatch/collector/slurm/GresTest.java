package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GresTest {
    @Test
    @DisplayName("numbers are ranges and single ones, with commas inside the parentheses")
    void indexes() {
        assertEquals(
                List.of(new Gres("gpu", Optional.of("v100"), 8, List.of(0, 1, 2, 5, 6, 7, 8, 9))),
                Gres.parse("gpu:v100:8(IDX:0-2,5-9)"));
    }

    @Test
    @DisplayName("untyped GPUs have no type, however Slurm writes that")
    void untyped() {
        assertEquals(List.of(new Gres("gpu", Optional.empty(), 2, List.of(0, 1))), Gres.parse("gpu:2(IDX:0-1)"));
        assertEquals(List.of(new Gres("gpu", Optional.empty(), 2, List.of(0, 1))), Gres.parse("gpu:(null):2(IDX:0-1)"));
        assertEquals(List.of(new Gres("gpu", Optional.empty(), 0, List.of())), Gres.parse("gpu:0"));
        assertEquals(List.of(new Gres("gpu", Optional.empty(), 1, List.of())), Gres.parse("gpu"));
    }

    @Test
    @DisplayName("N/A, sockets and nothing at all give no numbers")
    void noNumbers() {
        assertEquals(List.of(new Gres("gpu", Optional.of("v100"), 1, List.of())), Gres.parse("gpu:v100:1(IDX:N/A)"));
        assertEquals(List.of(new Gres("gpu", Optional.of("v100"), 16, List.of())), Gres.parse("gpu:v100:16(S:0-1)"));
        assertEquals(List.of(new Gres("gpu", Optional.of("v100"), 1, List.of())), Gres.parse("gpu:v100"));
        assertEquals(List.of(), Gres.parse(""));
        assertEquals(List.of(), Gres.parse("(null)"));
        assertEquals(List.of(), Gres.parse("N/A"));
    }

    @Test
    @DisplayName("MIG instances are GPUs of their own type; shards and MPS are not GPUs")
    void several() {
        List<Gres> all = Gres.parse("gpu:a100_3g.39gb:2(IDX:0,2),shard:a100:4(IDX:1),mps:100");

        assertEquals(List.of(true, false, false), all.stream().map(Gres::isGpu).toList());
        assertEquals(Optional.of("a100_3g.39gb"), all.get(0).type());
        assertEquals(List.of(0, 2), all.get(0).indexes());
        assertEquals(4, all.get(1).count());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "gpu:v100:2(IDX:0-1", "gpu:v100:2(IDX:1-0)", "gpu:v100:2(IDX:a)", "gpu:v100:2(IDX:0-99999)",
                "gpu:v100:2:3", "gpu:v100:x", ":2", "gpu:v100:2(IDX:0-1-2)"
            })
    @DisplayName("what is no GRES text is refused")
    void refused(String text) {
        assertThrows(IllegalArgumentException.class, () -> Gres.parse(text));
    }
}
