package io.fairwatch.collector;

import io.fairwatch.agent.config.ConfigFile;
import io.fairwatch.agent.config.ConfigFile.ConfigException;
import io.fairwatch.rules.RuleSet;
import io.fairwatch.rules.RuleSet.CaseFailure;
import io.fairwatch.rules.RuleSet.Overrides;
import io.fairwatch.rules.RuleSet.RuleException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** What an author of rules needs, without a collector. */
@Command(
        name = "rules",
        mixinStandardHelpOptions = true,
        description = "Works with rules, without a running collector.")
final class RulesCommand {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it
    private CommandSpec spec;

    @Command(
            name = "check",
            mixinStandardHelpOptions = true,
            description = "Reads the shipped rules and those of a site, and runs the cases of all of them.",
            exitCodeListHeading = "%nExit codes:%n",
            exitCodeList = {
                "0: all rules can be used, all cases came out as they say",
                "1: a case came out otherwise",
                "2: a rule cannot be used"
            })
    int check(
            @Parameters(
                            arity = "0..1",
                            paramLabel = "DIR",
                            description = "The site's rule files (*.yaml); the shipped ones alone if not said.")
                    Optional<Path> directory,
            @Option(
                            names = "--settings",
                            paramLabel = "FILE",
                            description = "A collector's configuration whose rules.settings are checked too.")
                    Optional<Path> settings) {
        var out = spec.commandLine().getOut();
        var err = spec.commandLine().getErr();
        RuleSet rules;
        try {
            rules = RuleFiles.read(directory, overrides(settings));
        } catch (RuleException wrong) {
            wrong.problems().forEach(problem -> err.println(problem));
            err.println(wrong.problems().size()
                    + (wrong.problems().size() == 1 ? " problem" : " problems")
                    + "; a collector that runs would keep the rules that it has");
            return 2;
        } catch (ConfigException wrong) {
            err.println(wrong.getMessage());
            return 2;
        } catch (IOException | UncheckedIOException unreadable) {
            err.println("rules cannot be read: " + unreadable);
            return 2;
        }
        List<CaseFailure> failures = rules.runCases();
        int cases = 0;
        for (Map.Entry<String, Integer> rule : rules.caseCounts().entrySet()) {
            long failed = failures.stream()
                    .filter(failure -> failure.rule().equals(rule.getKey()))
                    .count();
            cases += rule.getValue();
            boolean off = rules.rules().stream().noneMatch(known -> known.name().equals(rule.getKey()));
            out.printf(
                    "%-28s %3d cases, %s%s%n",
                    rule.getKey(), rule.getValue(), failed == 0 ? "good" : failed + " otherwise", off ? "; off" : "");
        }
        for (CaseFailure failure : failures) {
            err.println(failure.file() + ":" + failure.line() + ": " + failure.name());
            err.println("    expected: " + failure.expected());
            err.println("    got:      " + failure.got());
        }
        rules.coveredByNobody()
                .forEach((rule, names) -> err.println(
                        rule + ": covered_by names " + String.join(", ", names) + ", of which there is no rule"));
        out.println(rules.caseCounts().size() + " rules, " + cases + " cases, " + failures.size() + " otherwise");
        return failures.isEmpty() ? 0 : 1;
    }

    private static Overrides overrides(Optional<Path> settings) throws ConfigException {
        if (settings.isEmpty()) {
            return Overrides.NONE;
        }
        if (!Files.isReadable(settings.get())) {
            throw new ConfigException(List.of(settings.get() + ": cannot be read"));
        }
        CollectorConfig config = ConfigFile.read(settings.get(), CollectorConfig.class);
        return new Overrides(settings.get() + ": rules.settings", config.rules().settings());
    }
}
