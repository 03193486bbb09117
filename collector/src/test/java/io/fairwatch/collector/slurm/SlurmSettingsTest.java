package io.fairwatch.collector.slurm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.exc.ValueInstantiationException;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class SlurmSettingsTest {
    private final YAMLMapper mapper =
            YAMLMapper.builder().addModule(new JavaTimeModule()).build();

    @Test
    @DisplayName("what is not given has a default")
    void defaults() throws Exception {
        assertEquals(SlurmSettings.DEFAULTS, mapper.readValue("{}", SlurmSettings.class));
        assertEquals(Duration.ofSeconds(15), SlurmSettings.DEFAULTS.every());
        assertEquals(Duration.ofSeconds(60), SlurmSettings.DEFAULTS.accountingEvery());
        assertEquals(Duration.ofSeconds(30), SlurmSettings.DEFAULTS.timeout());
    }

    @Test
    @DisplayName("everything can be given")
    void everything() throws Exception {
        assertEquals(
                new SlurmSettings(
                        Optional.of(Path.of("/opt/slurm/bin")),
                        List.of("runuser", "-u", "gpuwatch", "--"),
                        Optional.of(Path.of("/etc/slurm/slurm.conf")),
                        Optional.of("lab"),
                        Duration.ofSeconds(20),
                        Duration.ofMinutes(2),
                        Duration.ofSeconds(40),
                        1000,
                        Duration.ofMinutes(5),
                        Duration.ofDays(7)),
                mapper.readValue("""
                        binaries: /opt/slurm/bin
                        prefix: [runuser, -u, gpuwatch, --]
                        slurmConf: /etc/slurm/slurm.conf
                        cluster: lab
                        every: PT20S
                        accountingEvery: PT2M
                        timeout: PT40S
                        maxOutputBytes: 1000
                        overlap: PT5M
                        history: P7D
                        """, SlurmSettings.class));
    }

    @Test
    @DisplayName("unknown keys and impossible values are refused")
    void refused() {
        assertThrows(UnrecognizedPropertyException.class, () -> mapper.readValue("evry: PT20S", SlurmSettings.class));
        assertThrows(ValueInstantiationException.class, () -> mapper.readValue("every: PT0S", SlurmSettings.class));
        assertThrows(
                ValueInstantiationException.class, () -> mapper.readValue("maxOutputBytes: 0", SlurmSettings.class));
    }
}
