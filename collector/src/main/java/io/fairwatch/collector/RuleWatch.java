package io.fairwatch.collector;

import io.fairwatch.agent.config.ConfigFile;
import io.fairwatch.agent.config.ConfigFile.ConfigException;
import io.fairwatch.rules.Rule;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.RuleSet.CaseFailure;
import io.fairwatch.rules.RuleSet.Overrides;
import io.fairwatch.rules.RuleSet.RuleException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The rules in force. Looks whether the site's rule files, or the settings in the configuration, have changed, and reads
 * them again; when they are wrong the rules that were there stay in force, and health says so. {@link #get} and {@link
 * #troubles} are thread-safe, {@link #look} is confined to one thread.
 */
final class RuleWatch implements Supplier<RuleSet> {
    private static final Logger LOG = LoggerFactory.getLogger(RuleWatch.class);
    private static final int MOST_TOLD = 5;

    private final Path configFile;
    private volatile RuleSet rules;
    private volatile List<String> troubles = List.of();
    private Optional<Path> directory;
    private List<String> seen;

    /**
     * @param configFile where rules.directory and rules.settings come from
     * @param rules as they were read from there
     */
    RuleWatch(Path configFile, Optional<Path> directory, RuleSet rules) {
        this.configFile = configFile;
        this.directory = directory;
        this.rules = rules;
        this.seen = state();
    }

    @Override
    public RuleSet get() {
        return rules;
    }

    /** What keeps the newest rules from being in force, as sentences. */
    List<String> troubles() {
        return troubles;
    }

    /** Reads the rules again if a file has changed. */
    void look() {
        List<String> now = state();
        if (now.equals(seen)) {
            return;
        }
        seen = now;
        List<String> problems = new ArrayList<>();
        try {
            CollectorConfig config = ConfigFile.read(configFile, CollectorConfig.class);
            directory = config.rules().directory();
            seen = state();
            RuleSet fresh = RuleFiles.read(
                    directory,
                    new Overrides(
                            configFile + ": rules.settings", config.rules().settings()));
            for (CaseFailure failure : fresh.runCases()) {
                problems.add(failure.file() + ":" + failure.line() + ": the case \"" + failure.name() + "\" expects "
                        + failure.expected() + " and got " + failure.got());
            }
            if (problems.isEmpty()) {
                rules = fresh;
                troubles = List.of();
                LOG.info(
                        "rules read again rules={}",
                        fresh.rules().stream().map(Rule::name).toList());
                return;
            }
        } catch (RuleException wrong) {
            wrong.problems().forEach(problem -> problems.add(problem.toString()));
        } catch (ConfigException wrong) {
            problems.add(String.valueOf(wrong.getMessage()));
        } catch (IOException | UncheckedIOException unreadable) {
            problems.add("cannot be read: " + unreadable);
        }
        problems.forEach(problem -> LOG.error("rules not read again: {}", problem));
        List<String> told = new ArrayList<>();
        told.add("The rules were changed and cannot be used (" + problems.size()
                + (problems.size() == 1 ? " problem" : " problems") + "); those from before stay in force.");
        problems.stream().limit(MOST_TOLD).forEach(told::add);
        troubles = List.copyOf(told);
    }

    /** Names, times and sizes of the files. */
    private List<String> state() {
        List<Path> files = new ArrayList<>(List.of(configFile));
        List<String> state = new ArrayList<>();
        if (directory.isPresent()) {
            try (Stream<Path> own = Files.list(directory.get())) {
                own.filter(path -> path.toString().endsWith(".yaml")
                                || path.toString().endsWith(".yml"))
                        .sorted()
                        .forEach(files::add);
            } catch (IOException e) {
                state.add(directory.get() + " " + e.getClass().getSimpleName());
            }
        }
        for (Path file : files) {
            try {
                state.add(file + " " + Files.getLastModifiedTime(file) + " " + Files.size(file));
            } catch (IOException e) {
                state.add(file + " " + e.getClass().getSimpleName());
            }
        }
        return state;
    }
}
