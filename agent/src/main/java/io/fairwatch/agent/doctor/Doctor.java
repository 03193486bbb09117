package io.fairwatch.agent.doctor;

import io.fairwatch.agent.doctor.PrivilegeCheck.Capability;
import io.fairwatch.agent.doctor.PrivilegeCheck.Feature;
import io.fairwatch.agent.probe.ScratchSource;
import io.fairwatch.agent.probe.nvml.NvmlInspection;
import io.fairwatch.agent.spool.Connection;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.IntFunction;

/** Asks all checks at once and waits no longer than a deadline for each. */
public final class Doctor {
    private static final Duration DEADLINE = Duration.ofSeconds(10);

    /**
     * What is configured.
     *
     * @param node Slurm's name of this node; absent: the host name up to the first dot
     * @param collector the way to it; absent when none is configured
     * @param spool its directory
     * @param spoolBytes what it may hold
     * @param nvml whether GPUs are read
     * @param library of NVML; absent: the driver's own
     * @param scratch mounts to account for
     * @param names whether users have names
     * @param pss whether users' memory is told with what processes share split among them
     * @param environ whether the environment of processes is asked for their job
     */
    public record Configured(
            Optional<String> node,
            Optional<Connection.Settings> collector,
            Path spool,
            long spoolBytes,
            boolean nvml,
            Optional<String> library,
            List<Path> scratch,
            boolean names,
            boolean pss,
            boolean environ) {}

    private final List<Check> checks;
    private final Duration deadline;

    Doctor(List<Check> checks, Duration deadline) {
        this.checks = List.copyOf(checks);
        this.deadline = deadline;
    }

    /**
     * A doctor for this node.
     *
     * @param names looks a user up; may take for ever
     */
    public static Doctor of(
            Configured configured, Path root, Vertx vertx, IntFunction<Optional<String>> names, InstantSource clock) {
        return new Doctor(checks(configured, new Node(root), vertx, names, clock), DEADLINE);
    }

    /** Every check, in the order of the report. A new one is a line here. */
    static List<Check> checks(
            Configured configured, Node node, Vertx vertx, IntFunction<Optional<String>> names, InstantSource clock) {
        List<Check> checks = new ArrayList<>();
        checks.add(new NodeNameCheck(node, configured.node()));
        checks.add(new GpuCheck(node, configured.nvml()));
        if (configured.nvml()) {
            checks.add(new NvmlCheck(node, () -> NvmlInspection.of(configured.library())));
        }
        checks.add(new CgroupCheck(node));
        checks.add(new PrivilegeCheck(node, features(configured)));
        checks.add(new LimitCheck(node));
        checks.add(new NamesCheck(node, configured.names(), names));
        configured
                .scratch()
                .forEach(mount -> checks.add(
                        new ScratchCheck(node, mount, asked -> ScratchSource.inspect(asked, clock.instant()))));
        checks.add(new SpoolCheck(node, configured.spool(), configured.spoolBytes()));
        checks.add(new CollectorCheck(
                configured.collector().map(to -> to.url().toString()).orElse(""),
                configured.collector().map(to -> new Connection(vertx, to)),
                work -> {
                    Promise<Connection.Reply> promise = Promise.promise();
                    vertx.runOnContext(run -> work.get().onComplete(promise));
                    return promise.future();
                },
                clock,
                System::nanoTime));
        return checks;
    }

    private static List<Feature> features(Configured configured) {
        List<Feature> features = new ArrayList<>();
        if (!configured.scratch().isEmpty()) {
            features.add(new Feature(
                    "counting scratch directories of other people",
                    List.of(Capability.CAP_DAC_READ_SEARCH),
                    "directories that are closed to it are left out of the count",
                    "scratch.conf"));
        }
        if (configured.pss()) {
            features.add(new Feature(
                    "memory with what processes share split among them",
                    List.of(Capability.CAP_SYS_PTRACE),
                    "it is told of nobody but the agent",
                    "pss.conf"));
        }
        if (configured.environ()) {
            features.add(new Feature(
                    "jobs by the environment of processes",
                    List.of(Capability.CAP_SYS_PTRACE, Capability.CAP_DAC_READ_SEARCH),
                    "processes that neither a cgroup nor a slurmstepd tells the job of are in none",
                    "environ.conf"));
        }
        return features;
    }

    /** The name under which this agent reports. */
    public static String nameInUse(Configured configured, Path root) {
        return NodeNameCheck.nameInUse(new Node(root), configured.node());
    }

    /** Looks at everything. Takes no longer than the deadline, whatever hangs. */
    public List<Finding> examine() {
        List<CompletableFuture<List<Finding>>> answers = new ArrayList<>();
        for (Check check : checks) {
            CompletableFuture<List<Finding>> answer = new CompletableFuture<>();
            Thread thread = new Thread(() -> look(check, answer), "check " + check.name());
            thread.setDaemon(true);
            thread.start();
            answers.add(answer);
        }
        long until = System.nanoTime() + deadline.toNanos();
        List<Finding> findings = new ArrayList<>();
        for (int i = 0; i < checks.size(); i++) {
            String name = checks.get(i).name();
            try {
                findings.addAll(answers.get(i).get(Math.max(0, until - System.nanoTime()), TimeUnit.NANOSECONDS));
            } catch (TimeoutException e) {
                findings.add(Finding.error(
                        name,
                        "does not answer within " + deadline.toSeconds() + " s",
                        "a driver, a file server or a directory service hangs: dmesg, and ps -eo pid,stat,wchan,comm"
                                + " shows what waits in state D"));
            } catch (ExecutionException e) {
                findings.add(Finding.error(
                        name, "could not be looked at: " + e.getCause(), "report this if it is none of the node's"));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return findings;
            }
        }
        return findings;
    }

    private static void look(Check check, CompletableFuture<List<Finding>> answer) {
        try {
            answer.complete(check.look());
        } catch (Exception | LinkageError e) { // one bad check never stops the rest
            answer.completeExceptionally(e);
        }
    }
}
