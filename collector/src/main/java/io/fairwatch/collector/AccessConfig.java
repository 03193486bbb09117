package io.fairwatch.collector;

import io.fairwatch.agent.config.ConfigFile.Default;
import io.fairwatch.collector.slurm.Munge;
import io.fairwatch.collector.web.Access;
import io.fairwatch.collector.web.AccessTokens;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Who sees what. Immutable.
 *
 * @param mode {@code open}: whoever reaches the port sees everything; {@code own}: people see their own jobs, coordinators
 *     their accounts', staff everything, which is written down
 * @param munge whether people are known by credentials of munge, as all of a cluster with auth/munge can make them
 * @param unmunge the program that reads these
 * @param secretFile file whose first line signs tokens, 32 characters or more; absent: people have no tokens
 * @param staff login names of staff
 */
record AccessConfig(
        @Default("open") Mode mode,
        @Default("true") boolean munge,
        @Default("/usr/bin/unmunge") Path unmunge,
        Optional<Path> secretFile,
        List<String> staff) {
    private static final Duration UNMUNGE_TIMEOUT = Duration.ofSeconds(5);

    /** Who sees what. */
    enum Mode {
        OPEN,
        OWN
    }

    /**
     * The same for those who answer.
     *
     * @param tokens that are signed with the secret
     * @param staffToken of {@code answers.staffTokenFile}
     */
    Access.Settings settings(Optional<AccessTokens> tokens, Optional<String> staffToken) {
        return new Access.Settings(
                mode == Mode.OPEN,
                munge ? Optional.of(new Munge(unmunge, UNMUNGE_TIMEOUT)) : Optional.empty(),
                tokens,
                staffToken,
                Set.copyOf(staff));
    }
}
