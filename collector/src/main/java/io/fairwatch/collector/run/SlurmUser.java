package io.fairwatch.collector.run;

import java.util.Optional;

/**
 * A user whom Slurm's accounting knows. Immutable.
 *
 * @param name login name
 * @param defaultAccount the account of jobs that name none; absent if not set
 * @param adminLevel what the user may do to others' jobs, in Slurm's word: {@code None}, {@code Operator} or
 *     {@code Administrator}
 */
public record SlurmUser(String name, Optional<String> defaultAccount, String adminLevel) {}
