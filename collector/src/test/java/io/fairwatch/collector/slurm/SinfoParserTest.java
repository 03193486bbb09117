package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.fairwatch.collector.run.SlurmNode;
import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class SinfoParserTest {
    private static SinfoParser.Nodes parse(String json) throws SlurmException, IOException {
        return SinfoParser.parse(new ByteArrayInputStream(json.getBytes(StandardCharsets.UTF_8)));
    }

    @Test
    @DisplayName("recorded 22.05: GPUs by Gres; a node without any tells none, which is not zero")
    void recorded() throws SlurmException, IOException {
        SinfoParser.Nodes answer = SinfoParser.parse(new ByteArrayInputStream(Samples.read("22.05/sinfo.json")));

        assertEquals(List.of(), answer.problems());
        assertEquals(4, answer.nodes().size());
        assertEquals(
                new SlurmNode(
                        "lab-nogres",
                        "mixed",
                        OptionalInt.of(16),
                        OptionalLong.of(190000L * 1024 * 1024),
                        OptionalInt.empty(),
                        "",
                        new SlurmNode.Given(OptionalInt.of(6), OptionalLong.of(2L << 30), OptionalInt.of(0))),
                answer.nodes().get(0));
        assertEquals(
                new SlurmNode(
                        "nv-ai-01.srv.aau.dk",
                        "mixed",
                        OptionalInt.of(96),
                        OptionalLong.of(1500000L * 1024 * 1024),
                        OptionalInt.of(16),
                        "gpu:v100:16",
                        new SlurmNode.Given(
                                OptionalInt.of(20), OptionalLong.of(7244L * 1024 * 1024), OptionalInt.of(10))),
                answer.nodes().get(1));
    }

    @Test
    @DisplayName("22.05 tells flags apart from the state, later versions in one list: both become one text")
    void flags() throws SlurmException, IOException {
        SinfoParser.Nodes answer = parse("""
                {"errors": [], "nodes": [
                  {"name": "a", "state": "idle", "state_flags": ["DRAIN"], "gres": "(null)"},
                  {"name": "b", "state": ["MIXED", "DRAIN"], "cpus": 64, "real_memory": 1024,
                   "gres": "gpu:a100:2(S:0),gpu:t4:1(S:1),shard:8"}]}""");

        assertEquals(
                List.of(
                        new SlurmNode(
                                "a", "idle+drain", OptionalInt.empty(), OptionalLong.empty(), OptionalInt.empty(), ""),
                        new SlurmNode(
                                "b",
                                "mixed+drain",
                                OptionalInt.of(64),
                                OptionalLong.of(1L << 30),
                                OptionalInt.of(3),
                                "gpu:a100:2(S:0),gpu:t4:1(S:1),shard:8")),
                answer.nodes());
    }

    @Test
    @DisplayName("groups of newer sinfo (handmade) give each node once, without figures that differ in the group")
    void groups() throws SlurmException, IOException {
        SinfoParser.Nodes answer = parse("""
                {"sinfo": [
                  {"node": {"state": ["IDLE"]}, "nodes": {"total": 2, "nodes": ["gpu01", "gpu02"]},
                   "cpus": {"minimum": 64, "maximum": 64, "total": 128}, "memory": {"minimum": 512, "maximum": 1024},
                   "gres": {"total": "gpu:a100:8", "used": ""}, "partition": {"name": "batch"}},
                  {"node": {"state": ["IDLE"]}, "nodes": {"total": 1, "nodes": ["gpu01"]},
                   "cpus": {"minimum": 64, "maximum": 64}, "memory": {"minimum": 512, "maximum": 512},
                   "gres": {"total": "gpu:a100:8"}, "partition": {"name": "short"}}],
                 "meta": {}, "errors": [], "warnings": []}""");

        SlurmNode first = new SlurmNode(
                "gpu01", "idle", OptionalInt.of(64), OptionalLong.empty(), OptionalInt.of(8), "gpu:a100:8");
        assertEquals(
                List.of(
                        first,
                        new SlurmNode(
                                "gpu02", first.state(), first.cpus(), first.memoryBytes(), first.gpus(), first.gres())),
                answer.nodes());
    }

    @Test
    @DisplayName("a malformed node is left out and named")
    void malformed() throws SlurmException, IOException {
        SinfoParser.Nodes answer = parse("""
                {"errors": [], "nodes": [{"name": "a", "gres": "gpu:x:y:z"}, {"state": "idle"}, {"name": "c", "gres": ""}]}""");

        assertEquals(List.of("c"), answer.nodes().stream().map(SlurmNode::name).toList());
        assertEquals(2, answer.problems().size());
    }

    @Test
    @DisplayName("errors make it no answer")
    void errors() {
        assertThrows(SlurmException.class, () -> parse("{\"nodes\": [], \"errors\": [{\"description\": \"down\"}]}"));
    }

    @Test
    @DisplayName("sinfo is asked up to 22.05 and where the version is unknown, scontrol from 23.02 on")
    void command() {
        assertEquals("sinfo", SinfoParser.command(Optional.of("22.05.8")).get(0));
        assertEquals("sinfo", SinfoParser.command(Optional.empty()).get(0));
        assertEquals("scontrol", SinfoParser.command(Optional.of("23.02.1")).get(0));
        assertEquals("scontrol", SinfoParser.command(Optional.of("26.05.0-rc1")).get(0));
    }
}
