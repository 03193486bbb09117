package io.fairwatch.agent.probe.nvml;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.jna.Function;
import com.sun.jna.NativeLibrary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/**
 * The simulated NVML library and programs of {@code deploy/simgpu}, built into {@code target}, on a node of their own.
 * Where there is no compiler the tests that want them are skipped and say so.
 */
public final class SimulatedGpus implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 20;

    /** What other processes bring about sooner or later. */
    public interface Condition {
        boolean holds() throws Exception;
    }

    private final Path node;
    private final Path build;
    private final List<Process> programs = new ArrayList<>();

    /**
     * Builds what is needed and sets the node up.
     *
     * @param node an empty directory
     * @param lines of {@code gpus.conf}
     */
    public SimulatedGpus(Path node, String... lines) throws Exception {
        this.node = node;
        Path module = Path.of("").toAbsolutePath();
        this.build = module.resolve("target/simgpu");
        make(module.resolveSibling("deploy").resolve("simgpu"));
        Files.createDirectory(node.resolve("procs"));
        Files.createDirectory(node.resolve("dev"));
        for (int minor = 0; minor < 32; minor++) { // simgpu only looks whether it may open them
            Files.createFile(node.resolve("dev/nvidia" + minor));
        }
        gpus(lines);
        faults();
        set("FAIRWATCH_SIMGPU_DIR", node.toString());
    }

    private void make(Path sources) throws Exception {
        List<String> command = new ArrayList<>(List.of("make", "-s", "-C", sources.toString(), "BUILD=" + build));
        for (String file : List.of("libnvidia-ml.so.1", "libnvidia-ml-r418.so.1", "simgpu")) {
            command.add(build.resolve(file).toString());
        }
        try {
            new ProcessBuilder("cc", "--version")
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start()
                    .waitFor();
            assertEquals(0, new ProcessBuilder(command).inheritIO().start().waitFor(), "make of deploy/simgpu");
        } catch (IOException e) {
            String why = "SKIPPED: no make or C compiler here, so nothing is proved with simulated GPUs: " + e;
            System.out.println(why);
            assumeTrue(false, why);
        }
    }

    /** The environment that C code of this process sees; Java's own view stays as it is. */
    private static void set(String name, String value) {
        Function setenv = NativeLibrary.getProcess().getFunction("setenv");
        assertEquals(0, setenv.invokeInt(new Object[] {name, value, 1}));
    }

    /** The library as NVML, for {@code nvml.library}. */
    public Optional<String> library() {
        return Optional.of(build.resolve("libnvidia-ml.so.1").toString());
    }

    /** The same as of driver R418. */
    public Optional<String> oldLibrary() {
        return Optional.of(build.resolve("libnvidia-ml-r418.so.1").toString());
    }

    /** What the driver finds when it is opened next. */
    public void gpus(String... lines) throws IOException {
        write("gpus.conf", lines);
    }

    /** What is wrong from now on, instead of what was; takes effect within 50 ms. */
    public void faults(String... lines) throws IOException {
        write("faults.conf", lines);
    }

    private void write(String file, String... lines) throws IOException {
        Path written = Files.write(node.resolve(file + ".new"), List.of(lines));
        Files.move(written, node.resolve(file), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    /** Starts a program that behaves like GPU work. */
    public long simgpu(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(build.resolve("simgpu").toString()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().put("FAIRWATCH_SIMGPU_DIR", node.toString());
        builder.environment().put("FAIRWATCH_SIMGPU_DEV", node.resolve("dev").toString());
        Process program = builder.redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        programs.add(program);
        return program.pid();
    }

    /** How often functions of the library were called in this process; empty: all of them. */
    public long calls(String... functions) {
        try (NativeLibrary opened = NativeLibrary.getInstance(library().orElseThrow())) {
            Function calls = opened.getFunction("fairwatch_simulated_calls");
            return functions.length == 0
                    ? calls.invokeLong(new Object[] {null})
                    : Stream.of(functions)
                            .mapToLong(function -> calls.invokeLong(new Object[] {function}))
                            .sum();
        }
    }

    /** Looks until it holds; what other processes do takes its time. */
    public static void eventually(String what, Condition condition) throws Exception {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!condition.holds()) {
            if (System.nanoTime() > until) {
                fail("still not: " + what);
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
        }
    }

    @Override
    public void close() throws IOException {
        faults(); // lets go what hangs
        programs.forEach(Process::destroyForcibly);
    }
}
