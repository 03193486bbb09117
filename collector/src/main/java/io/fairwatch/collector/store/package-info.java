/**
 * Keeps everything: the store is the collector's only state, and any process may be killed at any instant.
 *
 * <p>{@link io.fairwatch.collector.store.Store} is small and has one contract test that every implementation passes.
 * The embedded default is DuckDB; SQL keeps to what PostgreSQL understands too, so that a shared store can stand behind
 * the same interface. Only this package uses {@code java.sql}. Absent readings are NULL.
 *
 * <ul>
 *   <li><b>No keys, no indexes.</b> Damage after kills was always in indexes or in definitions that the log had to
 *       replay. Rows are replaced by delete and insert in one transaction; definitions are folded into the file at once.
 *   <li><b>Which snapshots have come</b> is kept apart from the readings, as ranges of sequences, so that a batch sent
 *       again is known even when its readings are sealed or deleted.
 *   <li><b>What is newest is held in memory</b>, because everybody asks for it and rows that are replaced with every
 *       snapshot fill the log; its rows follow within minutes, and after a kill the readings bring them forward.
 *   <li><b>A failed write is a doubtful one</b>: DuckDB may say that it failed after it became durable. The file is then
 *       opened anew and asked; agents send again, which changes nothing.
 *   <li><b>Nobody else may open the database file in this process</b>, not even to copy it: closing it would give
 *       DuckDB's lock up, as POSIX wants it.
 * </ul>
 */
@NullMarked
package io.fairwatch.collector.store;

import org.jspecify.annotations.NullMarked;
