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
 *   <li><b>Readings are sealed.</b> The database file holds those of the hour that runs and the one before; older hours
 *       lie in {@code sealed/TABLE/day=YYYYMMDD/HH.parquet}, sorted by what questions are about, a few bytes each, for
 *       anything that reads Parquet. One transaction moves an hour: it writes and syncs the files, names them in {@code
 *       sealed_file} and deletes the rows. A file without a name there does not exist, so a kill at any instant loses and
 *       doubles nothing, readers see each row once, and a question opens the files of its own hours only, however many
 *       there are. What comes late for a sealed hour gets a file of its own there.
 *   <li><b>Roll-ups</b> of five minutes, one file for each day, are made when an hour is sealed. They add up exactly, so the
 *       inside of long spans is answered from them even while the readings are there; when these are forgotten, all of it.
 *       A GPU is called busy in them above one ratio; for another one the readings are asked while they are kept.
 *   <li><b>A shared GPU</b> (MPS, shards, nodes whose GPUs Slurm does not manage) is told twice: as the whole GPU, and what of
 *       it is a run's own, by its processes where NVML tells of each, else by an equal division that is called an estimate.
 *       Only GPUs that were not given can be shared, and only of them it is asked. Roll-ups keep sums over snapshots, so that
 *       it adds up as all else does.
 *   <li><b>Summaries</b> of ended runs are flat rows in the database file, for ever. What comes late deletes the summaries
 *       that it concerns, and they are made again.
 *   <li><b>To forget is to unlink</b> the files of whole days, after their names were taken away and nobody can be reading
 *       them any more.
 *   <li><b>A disk that is nearly full takes no readings</b>, so that there is room left to seal and to forget.
 *   <li><b>A backup is a store again.</b> The running database copies itself into a second file, as one transaction sees it;
 *       sealed files never change and only get a second name. Copying the file from outside would want the database closed;
 *       dumping tables as text would want a second way to read them. Sealing waits meanwhile, nothing else does. Backup and
 *       export are DuckDB's own and no part of {@code Store}: PostgreSQL has tools for both.
 *   <li><b>What came late is sealed at each start, too</b>, so that a collector that is killed again and again does not keep
 *       it in the database file until the next full hour that it sees.
 *   <li><b>Nobody else may open the database file in this process</b>, not even to copy it: closing it would give
 *       DuckDB's lock up, as POSIX wants it.
 * </ul>
 */
@NullMarked
package io.fairwatch.collector.store;

import org.jspecify.annotations.NullMarked;
