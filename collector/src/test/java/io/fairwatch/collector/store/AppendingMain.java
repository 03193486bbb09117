package io.fairwatch.collector.store;

import io.fairwatch.agent.wire.NodeSnapshot;
import java.io.File;
import java.net.URI;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A process of its own that appends for as long as it is let, and prints the sequence of each snapshot once the store has
 * taken it. Arguments: directory, first sequence, last sequence.
 */
public final class AppendingMain {
    /** GPUs, and as many jobs, of each snapshot. */
    static final int GPUS = 4;

    private AppendingMain() {}

    public static void main(String[] arguments) throws Exception {
        // folds the log often, so that kills hit that too
        DuckDbStore.Settings settings = new DuckDbStore.Settings(1, 128, 1, Duration.ofSeconds(60));
        try (Store store = DuckDbStore.open(Path.of(arguments[0]), settings)) {
            for (long sequence = Long.parseLong(arguments[1]); sequence <= Long.parseLong(arguments[2]); sequence++) {
                store.append(List.of(snapshot(sequence)));
                store.saveRuns(List.of(Given.run(sequence, Given.allocated("node-a", 0, "GPU-0"))));
                System.out.println(sequence);
            }
        }
    }

    /** The class path of the tests, also where a test runner made a class loader of its own. */
    public static String classPath() {
        return AppendingMain.class.getClassLoader() instanceof URLClassLoader own
                ? Stream.of(own.getURLs())
                        .map(url -> Path.of(URI.create(url.toString())).toString())
                        .collect(Collectors.joining(File.pathSeparator))
                : System.getProperty("java.class.path");
    }

    static NodeSnapshot snapshot(long sequence) {
        return Given.snapshot(
                "node-a",
                Given.BOOT,
                sequence,
                Given.at(30.0 * sequence),
                List.of(
                        Given.gpu("GPU-0", 0.5, 100.0 * sequence, Given.process(1, 1)),
                        Given.gpu("GPU-1", 0.5, 100.0 * sequence, Given.process(2, 1)),
                        Given.gpu("GPU-2", 0.5, 100.0 * sequence, Given.process(3, 1)),
                        Given.gpu("GPU-3", 0.5, 100.0 * sequence, Given.process(4, 1))),
                List.of(
                        Given.cgroup(1, 1, 1, 1),
                        Given.cgroup(2, 1, 1, 1),
                        Given.cgroup(3, 1, 1, 1),
                        Given.cgroup(4, 1, 1, 1)));
    }
}
