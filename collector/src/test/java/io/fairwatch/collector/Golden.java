package io.fairwatch.collector;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Golden files; {@code mvn -pl collector test -Dfairwatch.golden.write=true} rewrites them: look at the difference. */
public final class Golden {
    private static final Path DIRECTORY = Path.of("src/test/resources");

    private Golden() {}

    /** Compares with a file; {@code name} is its path below the test resources. */
    public static void assertGolden(String name, String actual) throws IOException {
        Path file = DIRECTORY.resolve(name);
        if (Boolean.getBoolean("fairwatch.golden.write")) {
            Files.createDirectories(file.getParent());
            Files.writeString(file, actual);
        }
        assertEquals(Files.readString(file), actual, name);
    }
}
