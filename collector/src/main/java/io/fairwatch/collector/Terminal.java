package io.fairwatch.collector;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What commands ask of the terminal. */
final class Terminal {
    private Terminal() {}

    /** Whether a person reads standard output. Java 22 and later have a console even where output goes into a file. */
    static boolean isOutput() {
        try {
            return Files.readSymbolicLink(Path.of("/proc/self/fd/1")).toString().matches("/dev/(pts/|tty).*");
        } catch (IOException expected) {
            return false; // not there, or not a link
        }
    }
}
