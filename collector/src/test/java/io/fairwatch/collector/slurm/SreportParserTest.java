package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.fairwatch.collector.slurm.SlurmCommand.SlurmException;
import io.fairwatch.collector.slurm.SreportParser.Used;
import io.fairwatch.collector.slurm.SreportParser.Utilization;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class SreportParserTest {
    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    @DisplayName("use comes by account and user; sums of accounts are left out")
    void byUser() throws SlurmException {
        assertEquals(
                List.of(
                        new Used("cs", "tlj@its.aau.dk", "gres/gpu", 5200),
                        new Used("es.shj", "shj01@es.aau.dk", "mem", 123_456_789_012L)),
                SreportParser.parseByUser(bytes("""
                        root||gres/gpu|14767
                        cs||gres/gpu|5200
                        cs|tlj@its.aau.dk|gres/gpu|5200
                        es.shj|shj01@es.aau.dk|mem|123456789012
                        """)));
    }

    @Test
    @DisplayName("the cluster's hours come with what was down and planned, with or without shares")
    void utilization() throws SlurmException {
        assertEquals(
                List.of(new Utilization("gres/gpu", 14767, 10, 20, 36655, 51452)),
                SreportParser.parseUtilization(bytes("gres/gpu|14767(28.70%)|10|20|36655(71.24%)|51452\n")));
    }

    @Test
    @DisplayName("hours that were not rolled up are no rows, and no error")
    void nothing() throws SlurmException {
        assertEquals(List.of(), SreportParser.parseByUser(bytes("")));
    }

    @Test
    @DisplayName("what is no number of seconds is named")
    void wrong() {
        assertEquals(
                "sreport: lots (expected: seconds)",
                assertThrows(SlurmException.class, () -> SreportParser.parseByUser(bytes("cs|bob|gres/gpu|lots\n")))
                        .getMessage());
        assertEquals(
                "sreport: cs|bob (expected: 4 columns)",
                assertThrows(SlurmException.class, () -> SreportParser.parseByUser(bytes("cs|bob\n")))
                        .getMessage());
    }

    @Test
    @DisplayName("times are asked in UTC, to the second")
    void arguments() {
        assertEquals(
                List.of(
                        "-P",
                        "-n",
                        "-t",
                        "seconds",
                        "cluster",
                        "AccountUtilizationByUser",
                        "format=Account,Login,TresName,Used",
                        "--tres=gres/gpu,cpu,mem",
                        "clusters=lab",
                        "start=2026-10-25T00:00:00",
                        "end=2026-10-26T01:00:00"),
                SreportParser.byUser(
                        "lab", Instant.parse("2026-10-25T00:00:00Z"), Instant.parse("2026-10-26T01:00:00Z")));
    }
}
