/**
 * Puts the facts of every running job before the rules, and keeps what comes of it.
 *
 * <p>One cycle asks the store a few set-wise questions for all jobs together, never one per job. Nobody is judged on
 * stale facts: when Slurm has not answered lately the cycle says so and changes nothing, and a run that Slurm's newest
 * answer does not name is left alone. What a cycle decides, findings and notices, is stored in one transaction, so that a
 * collector killed at any instant neither forgets a decision nor makes it twice. A run whose facts make no sense is passed
 * over and counted; the others are judged.
 */
@NullMarked
package io.fairwatch.collector.judge;

import org.jspecify.annotations.NullMarked;
