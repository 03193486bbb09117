package io.fairwatch.collector.slurm;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** Slurm's commands as shell scripts in a directory of the test. */
public final class FakeSlurm {
    private final Path directory;

    public FakeSlurm(Path directory) {
        this.directory = directory;
    }

    /** Makes a command of a script's lines. */
    public FakeSlurm command(String name, String... lines) {
        try {
            // Moved into place: a script that is open for writing cannot be started.
            Path draft = directory.resolve(name + ".draft");
            Files.writeString(draft, "#!/bin/sh\n" + String.join("\n", lines) + "\n");
            Files.setPosixFilePermissions(draft, PosixFilePermissions.fromString("rwxr-xr-x"));
            Files.move(draft, directory.resolve(name), StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return this;
    }

    /** Makes a command that prints a text and keeps its arguments in the file {@code name.arguments}. */
    public FakeSlurm prints(String name, String text) {
        try {
            Files.writeString(file(name + ".out"), text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return command(
                name,
                "printf '%s\\n' \"$*\" >> '" + file(name + ".arguments") + "'",
                "cat '" + file(name + ".out") + "'");
    }

    /** How it was called, one line for each call. */
    public List<String> calls(String name) {
        try {
            return Files.exists(file(name + ".arguments")) ? Files.readAllLines(file(name + ".arguments")) : List.of();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public Path file(String name) {
        return directory.resolve(name);
    }

    public SlurmSettings settings(Duration timeout, long maxOutputBytes, String... prefix) {
        SlurmSettings defaults = SlurmSettings.DEFAULTS;
        return new SlurmSettings(
                Optional.of(directory),
                List.of(prefix),
                Optional.of(Path.of("/somewhere/slurm.conf")),
                Optional.empty(),
                defaults.every(),
                defaults.accountingEvery(),
                defaults.accountsEvery(),
                timeout,
                maxOutputBytes,
                defaults.overlap(),
                Duration.ofHours(12),
                Optional.empty());
    }
}
