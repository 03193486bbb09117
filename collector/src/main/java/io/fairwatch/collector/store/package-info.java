/**
 * Keeps everything: the store is the collector's only state, and any process may be killed at any instant.
 *
 * <p>{@link io.fairwatch.collector.store.Store} is small and has one contract test that every implementation passes.
 * The embedded default is DuckDB; SQL keeps to what PostgreSQL understands too, so that a shared store can stand behind
 * the same interface. Only this package uses {@code java.sql}. Absent readings are NULL.
 */
@NullMarked
package io.fairwatch.collector.store;

import org.jspecify.annotations.NullMarked;
