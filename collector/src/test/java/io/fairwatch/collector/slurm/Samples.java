package io.fairwatch.collector.slurm;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Objects;

/** Recorded output; {@code SOURCE.txt} beside it tells where it comes from. */
final class Samples {
    private Samples() {}

    static byte[] read(String name) {
        try (InputStream in = Objects.requireNonNull(Samples.class.getResourceAsStream("/slurm/" + name), name)) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
