package io.fairwatch.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.fairwatch.agent.config.ConfigFile;
import io.fairwatch.agent.config.ConfigFile.ConfigException;
import io.fairwatch.agent.config.ConfigFile.Size;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class AgentConfigTest {
    private static final Path EXAMPLE = Path.of("../deploy/agent.example.yml");

    private static AgentConfig parse(String yaml) throws ConfigException {
        return ConfigFile.parse("agent.yml", yaml, AgentConfig.class);
    }

    @Test
    @DisplayName("the defaults are these")
    void defaults() throws Exception {
        assertEquals(
                new AgentConfig(
                        Optional.empty(),
                        Optional.empty(),
                        Duration.ofSeconds(30),
                        new AgentConfig.Waiting(
                                Path.of("/var/lib/fairwatch-agent/spool"),
                                new Size(256 << 20),
                                Duration.ofDays(7),
                                new Size(16 << 20)),
                        new AgentConfig.Gpus(true, Optional.empty()),
                        new AgentConfig.Jobs(false),
                        new AgentConfig.Scratch(
                                List.of(), Duration.ofHours(6), Path.of("/var/lib/fairwatch-agent/scratch")),
                        new AgentConfig.Users(false),
                        new AgentConfig.Metrics("127.0.0.1", 0, false, false),
                        true),
                parse(""));
    }

    @Test
    @DisplayName("every key reaches its place")
    void everyKey() throws Exception {
        assertEquals(
                new AgentConfig(
                        Optional.of("nv-ai-01"),
                        Optional.of(new AgentConfig.Collector(
                                URI.create("http://collector:8080"),
                                Optional.of(Path.of("/etc/token")),
                                Optional.of(Path.of("/etc/ca.pem")),
                                new Size(64 << 10),
                                Duration.ofMillis(100),
                                Duration.ofSeconds(2),
                                Duration.ofSeconds(3))),
                        Duration.ofSeconds(5),
                        new AgentConfig.Waiting(
                                Path.of("/tmp/spool"), new Size(1 << 20), Duration.ofHours(36), new Size(0)),
                        new AgentConfig.Gpus(false, Optional.of("/lib/x.so")),
                        new AgentConfig.Jobs(true),
                        new AgentConfig.Scratch(
                                List.of(Path.of("/raid")), Duration.ofMinutes(1), Path.of("/tmp/scratch")),
                        new AgentConfig.Users(true),
                        new AgentConfig.Metrics("0.0.0.0", 9100, true, true),
                        false),
                parse("""
                        node: nv-ai-01
                        collector:
                          url: http://collector:8080
                          tokenFile: /etc/token
                          caFile: /etc/ca.pem
                          batch: 64KiB
                          firstRetry: 100ms
                          lastRetry: 2s
                          timeout: 3s
                        period: 5s
                        spool: {directory: /tmp/spool, maxBytes: 1MiB, maxAge: 36h, maxRejectedBytes: 0}
                        nvml: {enabled: false, library: /lib/x.so}
                        jobs: {environ: true}
                        scratch: {mounts: [/raid], recountEvery: 1m, directory: /tmp/scratch}
                        users: {pss: true}
                        metrics: {address: 0.0.0.0, port: 9100, jobstats: true, nodeExporter: true}
                        names: false
                        """));
    }

    @Test
    @DisplayName("the example file says what the defaults are")
    void example() throws Exception {
        AgentConfig example = ConfigFile.read(EXAMPLE, AgentConfig.class);
        AgentConfig defaults = parse("collector: {url: 'https://fairwatch.example.org:8443'}");
        assertEquals(defaults, example);
    }

    @Test
    @DisplayName("what would lose every snapshot, or would not fit into the agent's memory, is refused at the start")
    void impossible() {
        String mounts = "/raid" + ", /raid".repeat(64);
        ConfigException e = assertThrows(ConfigException.class, () -> parse("""
                collector: {url: "http://host", batch: 5MiB}
                scratch: {mounts: [%s]}
                """.formatted(mounts)));
        assertEquals(
                List.of(
                        "agent.yml:1: collector.batch: 5MiB (expected: from 16KiB to 2MiB)",
                        "agent.yml:2: scratch.mounts: 65 entries (expected: at most 64)"),
                e.problems());
    }

    @Test
    @DisplayName("a host name that could be no node's is refused, unless node: says another")
    void hostNames() throws Exception {
        assertEquals("nv-ai-01", ThisNode.nameOf(Optional.empty(), "nv-ai-01.srv.example.org"));
        assertEquals("n1", ThisNode.nameOf(Optional.of("n1"), "(none)"));
        for (String host : List.of("(none)", "", "n\u00f8de", "-n1", ".example.org")) {
            ConfigException e =
                    assertThrows(ConfigException.class, () -> ThisNode.nameOf(Optional.empty(), host), host);
            assertEquals(1, e.problems().size());
            assertEquals(
                    "node: missing, and the host is called \"" + host.split("\\.", 2)[0].replace('\u00f8', '?')
                            + "\" (expected: node: with the NodeName of slurm.conf, or a host name of letters, digits,"
                            + " '.', '_' and '-')",
                    e.problems().get(0));
        }
    }

    @Test
    @DisplayName("wrong values are told together")
    void problems() {
        ConfigException e = assertThrows(ConfigException.class, () -> parse("""
                node: "../etc"
                collector: {url: "ftp://host"}
                period: 10m
                scratch: {mounts: [raid]}
                """));
        assertEquals(
                List.of(
                        "agent.yml:2: collector.url: ftp://host (expected: http:// or https://)",
                        "agent.yml:3: period: 10m (expected: from 5s to 5m)",
                        "agent.yml:4: scratch.mounts: raid (expected: an absolute path)"),
                e.problems());
    }
}
