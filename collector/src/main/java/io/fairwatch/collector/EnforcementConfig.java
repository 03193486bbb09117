package io.fairwatch.collector;

import io.fairwatch.agent.config.ConfigFile.Default;
import io.fairwatch.agent.config.ConfigFile.Range;
import io.fairwatch.collector.enforce.Enforcer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What is done to jobs. Off by default. Immutable. See {@link Enforcer.Settings}.
 *
 * @param mode {@code off}; {@code propose}: staff are mailed the command; {@code act}: it is done
 * @param rules for which the mode holds; for all others it is off
 * @param stopByOwner whether a job is ended when its owner says so by the link in a mail
 * @param mostPerHour most deeds within an hour
 * @param mostPerUser most deeds to one user's jobs within 24 hours
 * @param switchFile while this file exists nothing is done
 * @param minimumCoverage each GPU must have been measured for this share of the rule's window
 * @param shortenTo how long a job whose time limit is shortened may still run
 * @param lowQos QoS that a job is moved to by {@code lower_qos}; absent: that is not done
 */
record EnforcementConfig(
        @Default("off") Enforcer.Mode mode,
        List<String> rules,
        @Default("false") boolean stopByOwner,
        @Default("10") @Range(from = "1", to = "100000") int mostPerHour,
        @Default("3") @Range(from = "1", to = "100000") int mostPerUser,
        @Default("/etc/fairwatch/enforcement-off") Path switchFile,

        @Default("0.9") @Range(from = "0.5", to = "1") double minimumCoverage,

        @Default("1h") @Range(from = "1m", to = "30d") Duration shortenTo,
        Optional<String> lowQos) {
    EnforcementConfig {
        if (lowQos.isPresent() && !lowQos.get().matches("[A-Za-z0-9_.-]{1,64}")) {
            throw new IllegalArgumentException("lowQos: " + lowQos.get() + " (expected: the name of a QoS)");
        }
    }

    Enforcer.Settings settings(Duration staleAfter) {
        return new Enforcer.Settings(
                mode,
                Set.copyOf(rules),
                stopByOwner,
                mostPerHour,
                mostPerUser,
                Optional.of(switchFile),
                minimumCoverage,
                staleAfter,
                shortenTo,
                lowQos);
    }
}
