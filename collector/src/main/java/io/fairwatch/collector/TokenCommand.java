package io.fairwatch.collector;

import io.fairwatch.agent.config.ConfigFile;
import io.fairwatch.agent.config.ConfigFile.ConfigException;
import io.fairwatch.collector.web.AccessTokens;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** {@code token}: by which one person is known where there is no munge. */
@Command(
        name = "token",
        mixinStandardHelpOptions = true,
        description = {
            "Prints a token by which a person is known to the collector where access.mode is own and there is no munge. Give it"
                    + " to that person alone, who keeps it in ~/.config/fairwatch/token, readable for nobody else.",
            "Nothing of it is kept: it ends with its time, and all tokens end when access.secretFile gets another secret."
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0: printed", "2: wrong configuration or words"})
final class TokenCommand implements Callable<Integer> {
    private static final int MOST_DAYS = 3660;

    @ParentCommand
    private Main main = new Main();

    @Parameters(paramLabel = "USER", description = "Login name, as Slurm has it.")
    private String user = "";

    @Option(
            names = "--days",
            paramLabel = "N",
            defaultValue = "365",
            description = "How long it is good; default: 365.")
    private int days = 365;

    @Override
    public Integer call() {
        try {
            List<String> problems = new ArrayList<>();
            CollectorConfig config = ConfigFile.read(main.configFile(), CollectorConfig.class);
            Optional<AccessTokens> tokens = Main.tokens(config, problems);
            if (problems.isEmpty() && tokens.isEmpty()) {
                problems.add("access.secretFile: missing (expected: a file with a secret, by which tokens are signed)");
            }
            if (!user.matches("[\\p{L}\\p{N}@._+-]{1,80}")) {
                problems.add("token: a login name was expected");
            }
            if (days < 1 || days > MOST_DAYS) {
                problems.add("--days: " + days + " (expected: 1 to " + MOST_DAYS + ")");
            }
            if (tokens.isEmpty() || !problems.isEmpty()) {
                throw new ConfigException(problems);
            }
            System.out.println(tokens.get().make(user, Main.clock().instant().plus(Duration.ofDays(days))));
            return 0;
        } catch (ConfigException wrong) {
            System.err.println(wrong.getMessage());
            return 2;
        }
    }
}
