package io.fairwatch.agent;

import io.fairwatch.agent.config.ConfigFile;
import io.fairwatch.agent.config.ConfigFile.ConfigException;
import io.fairwatch.agent.doctor.Doctor;
import io.fairwatch.agent.doctor.Report;
import io.fairwatch.agent.probe.UserNames;
import io.vertx.core.Vertx;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;

/** {@code fairwatch-agent doctor}. */
@Command(
        name = "doctor",
        description = "Checks what the agent needs on this node and says what is missing, why, and what to do.",
        footer = {"", "Exits with 0 when all is well, 1 when there are warnings, 2 when there are errors."},
        versionProvider = Main.Version.class,
        mixinStandardHelpOptions = true)
final class DoctorCommand implements Callable<Integer> {
    private static final Path USUAL = Path.of("/etc/fairwatch/agent.yml");
    private static final Path ROOT = Path.of("/");
    private static final int WRONG = 2;

    @ParentCommand
    private @Nullable Main main;

    @Option(
            names = "--config",
            paramLabel = "FILE",
            description = "configuration; without it /etc/fairwatch/agent.yml if it is there, else the defaults")
    private @Nullable Path configFile;

    @Option(names = "--json", description = "print the findings as JSON")
    private boolean json;

    @Override
    public Integer call() throws IOException {
        AgentConfig config;
        try {
            Path given = configFile == null && main != null ? main.configFile().orElse(null) : configFile;
            Path file = given == null && Files.exists(USUAL) ? USUAL : given;
            config = file == null
                    ? ConfigFile.parse("defaults", "", AgentConfig.class)
                    : ConfigFile.read(file, AgentConfig.class);
        } catch (ConfigException e) {
            System.err.println(e.getMessage());
            return WRONG;
        }
        Doctor.Configured configured = new Doctor.Configured(
                config.node(),
                config.connection(),
                config.spool().directory(),
                config.spool().maxBytes().bytes(),
                config.nvml().enabled(),
                config.nvml().library(),
                config.scratch().mounts(),
                config.names(),
                config.users().pss(),
                config.jobs().environ());
        Vertx vertx = Main.vertx();
        Report report = new Report(
                Main.Version.number(),
                Doctor.nameInUse(configured, ROOT),
                Doctor.of(configured, ROOT, vertx, UserNames::askSystem, Clock.systemUTC())
                        .examine());
        System.out.print(json ? report.json() : report.text(wantsColours(System.getenv())));
        System.out.flush();
        return report.severity().exitCode(); // not closing Vert.x: a hung lookup would hold it up
    }

    /** Only where a person looks, and only if that person has not asked for none. */
    static boolean wantsColours(Map<String, String> environment) {
        if (!environment.getOrDefault("NO_COLOR", "").isEmpty()
                || environment.getOrDefault("TERM", "dumb").equals("dumb")) {
            return false;
        }
        try {
            String output = Files.readSymbolicLink(Path.of("/proc/self/fd/1")).toString();
            return output.startsWith("/dev/pts/") || output.startsWith("/dev/tty") || output.equals("/dev/console");
        } catch (IOException expected) { // then it is not known
            return false;
        }
    }
}
