package io.fairwatch.agent.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import io.fairwatch.agent.probe.ProjectQuotas.Result;
import io.fairwatch.agent.probe.ProjectQuotas.Setting;
import io.fairwatch.agent.probe.Quotas.Account;
import io.fairwatch.agent.wire.ScratchUse.DirectoryUse;
import io.fairwatch.agent.wire.ScratchUse.Limit;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProjectQuotasTest {
    private static final Instant NOW = Instant.parse("2026-11-20T12:00:00Z");
    private static final Limit LIMIT = new Limit(
            OptionalLong.empty(), OptionalLong.of(99), OptionalLong.empty(), OptionalLong.empty(), Optional.empty());

    private final Path mount;
    private final Map<String, Setting> settings = new HashMap<>();
    private final List<Account> accounts = List.of(
            new Account(0, 1 << 20, 10, Optional.empty()),
            new Account(7, 8192, 3, Optional.of(LIMIT)),
            new Account(8, 1 << 30, 1, Optional.empty()));

    ProjectQuotasTest(@TempDir Path directory) throws IOException {
        mount = directory;
        directory("anna", new Setting(7, true));
        directory("bob", new Setting(8, true));
    }

    @Test
    @DisplayName("each directory that is a project of its own has the project's use and limit, the largest first")
    void own() throws IOException {
        directory("new", new Setting(9, true));
        Files.createDirectory(mount.resolve("lost+found"));
        Files.createSymbolicLink(mount.resolve("link"), mount.resolve("anna"));
        Result.Counted counted = assertInstanceOf(Result.Counted.class, read());
        assertEquals(
                List.of("bob", "anna", "new"),
                counted.directories().list().stream().map(DirectoryUse::name).toList());
        DirectoryUse anna = counted.directories().list().get(1);
        assertEquals(8192, anna.usedBytes());
        assertEquals(2, anna.files(), "without the directory itself");
        assertEquals(Optional.of(LIMIT), anna.limit());
        assertEquals(0, counted.directories().list().get(2).usedBytes(), "a project that has nothing has no account");
        assertEquals("quota", counted.directories().method());
    }

    @Test
    @DisplayName("one directory in no project, and the list would have a hole: it is not used")
    void hole() throws IOException {
        directory("tmp", new Setting(0, false));
        assertEquals(refused("tmp is in no project"), read());
    }

    @Test
    @DisplayName("a project whose new files go elsewhere tells too little")
    void notInherited() throws IOException {
        directory("old", new Setting(9, false));
        assertEquals(refused("new files in old are not in its project"), read());
    }

    @Test
    @DisplayName("two directories of one project cannot be told apart")
    void shared() throws IOException {
        settings.put("bob", new Setting(7, true));
        Result.Refused refused = assertInstanceOf(Result.Refused.class, read());
        assertEquals(true, refused.why().endsWith(" shares its project with another directory"), refused.why());
    }

    @Test
    @DisplayName("a directory that may not be looked into, and a mount without any, leave it to the walk")
    void closed() throws IOException {
        settings.remove("anna");
        assertEquals(refused("anna cannot be looked into (CAP_DAC_READ_SEARCH)"), read());
        Files.delete(mount.resolve("anna"));
        Files.delete(mount.resolve("bob"));
        assertEquals(refused("there is no directory yet"), read());
    }

    private Result read() throws IOException {
        return ProjectQuotas.byDirectory(
                mount, accounts, (fd, top) -> Optional.ofNullable(settings.get(top.name())), NOW);
    }

    private static Result refused(String why) {
        return new Result.Refused("project quotas do not tell all: " + why);
    }

    private void directory(String name, Setting setting) throws IOException {
        Files.createDirectory(mount.resolve(name));
        settings.put(name, setting);
    }
}
