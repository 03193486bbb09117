package io.fairwatch.collector.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The store as it is delivered: in one jar with its library beside it. */
class PackedStoreIT {
    private static final Path JAR = Path.of("target", "fairwatch-collector.jar");

    @Test
    @DisplayName("the packed store opens and leaves nothing in the temporary directory, not even while it runs")
    void nothingTemporary(@TempDir Path directory) throws Exception {
        Path temporary = Files.createDirectory(directory.resolve("tmp"));
        assertTrue(temporary.toFile().setWritable(false));
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED", // what the manifest says for java -jar
                        "-Djava.io.tmpdir=" + temporary,
                        "-cp",
                        JAR + File.pathSeparator + Path.of("target", "test-classes"),
                        AppendingMain.class.getName(),
                        directory.resolve("store").toString(),
                        "1",
                        "2")
                .redirectErrorStream(true)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals("1\n2\n", said);
        assertEquals(0, process.waitFor());
        try (Stream<Path> left = Files.list(temporary)) {
            assertEquals(List.of(), left.toList());
        }
    }

    @Test
    @DisplayName("the program's jar says who it is and holds no library, signature or module")
    void jar() throws Exception {
        try (JarFile jar = new JarFile(JAR.toFile())) {
            var main = jar.getManifest().getMainAttributes();
            assertEquals("io.fairwatch.collector.Main", main.getValue("Main-Class"));
            assertEquals("ALL-UNNAMED", main.getValue("Enable-Native-Access"));
            assertEquals("true", main.getValue("Multi-Release"));
            assertTrue(main.getValue("Implementation-Version").startsWith("0."));
            assertEquals(
                    List.of(),
                    jar.stream()
                            .map(entry -> entry.getName())
                            .filter(name -> name.startsWith("libduckdb")
                                    || name.endsWith("module-info.class")
                                    || name.matches("META-INF/.*\\.(SF|RSA|DSA)"))
                            .toList());
        }
    }
}
