/**
 * Reads configuration files, strictly and with all problems at once. Beside {@code agent.wire} the only package of the
 * agent that the collector shares: two readers of the same kind of file would drift apart.
 */
@NullMarked
package io.fairwatch.agent.config;

import org.jspecify.annotations.NullMarked;
