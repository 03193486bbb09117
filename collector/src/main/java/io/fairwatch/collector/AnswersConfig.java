package io.fairwatch.collector;

import io.fairwatch.agent.config.ConfigFile.Default;
import io.fairwatch.agent.config.ConfigFile.Range;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * What owners can answer by the link in a mail, and what staff can say. Immutable.
 *
 * @param secretFile file whose first line signs the links, 32 characters or more; absent: mails have no links
 * @param validFor how long a link works, and the longest time for which an owner can say that a job is needed
 * @param mostTimes how often an owner can say so of one job
 * @param staffTokenFile file with the token that staff must show to excuse, comment, and read the audit trail; absent:
 *     nobody can
 */
record AnswersConfig(
        Optional<Path> secretFile,
        @Default("7d") @Range(from = "1h", to = "90d") Duration validFor,
        @Default("3") @Range(from = "1", to = "100") int mostTimes,
        Optional<Path> staffTokenFile) {}
