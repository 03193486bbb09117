/**
 * Reads Slurm and tells the store: live jobs with their GPUs, waiting jobs, nodes, how jobs ended, accounts and QoS; and does
 * to a job what enforcement was allowed to. First in the flow, beside ingest. Only this package starts processes or asks
 * slurmrestd.
 *
 * <p>{@link io.fairwatch.collector.slurm.SlurmSync} reads: it has a source (commands, or slurmrestd), hands what comes to
 * parsers that touch nothing, and saves. {@link io.fairwatch.collector.slurm.HistoryImport} reads what was long ago,
 * {@link io.fairwatch.collector.slurm.SlurmControl} acts. What was decided, and why:
 *
 * <ul>
 *   <li><b>Commands first, slurmrestd by configuration.</b> Commands need no token, no daemon and no second configuration,
 *       and are there on every cluster. One call for the whole cluster per cycle. slurmrestd speaks the same JSON, so the
 *       same readers read it.
 *   <li><b>An answer is read as it comes.</b> squeue prints 200 MB for 45,000 jobs, most of it cores that nobody wants. The
 *       parser sits on the pipe and keeps what is needed of each job; the value counts only if the command then ended well.
 *   <li><b>An answer counts only if it is whole.</b> With its controller down, {@code squeue --json} of 22.05 ends with 0
 *       and an empty list; only its {@code errors} tell. Believing that list would end every job of the cluster. So:
 *       exit status 0, JSON read to its end, the list present, and {@code errors} empty, or nothing is saved.
 *   <li><b>One tolerant reader for 22.05 to 26.05.</b> A number is plain, null, or {@code {set, infinite, number}}; a
 *       state is a word or a list. A parser pinned by {@code --json=v0.0.NN} would live about two years.
 *   <li><b>Names are hostile.</b> One byte {@code 0xff} in a job name makes the whole of squeue's JSON invalid UTF-8, so
 *       it is decoded with replacement. {@code sacct} prints names raw, with newlines: each call has its own random
 *       delimiter and the name is the last column, so no name can forge a row. {@code scontrol show job} is not read at
 *       all. Names are kept as told; whoever shows them escapes them.
 *   <li><b>One bad job costs that job only</b>: it is left out, counted and named in the problems of
 *       {@link io.fairwatch.collector.slurm.SlurmSync.Status}.
 *   <li><b>A run begins at its start or at its last resize</b>, whichever is later, because accounting closes the record
 *       of a resized job (state {@code RESIZING}, with an end) and opens a new one. Requeued jobs get a new start too.
 *   <li><b>A completing job has ended.</b> Slurm tells its end, its processes are gone or being killed, and its owner can
 *       do no more for it; so the run has an end, and the word {@code COMPLETING} stays beside it.
 *   <li><b>Ends come from accounting or from squeue, never from absence.</b> A job that vanished from squeue stays open
 *       until accounting tells its end; its {@code asOf} stays at the last view that named it. A record that accounting
 *       shows running for ever ("runaway") thus never gets an invented end: treat a run as live only when its
 *       {@code asOf} is that of the newest view.
 *   <li><b>Accounting is asked without {@code -s}</b>: then {@code -S} and {@code -E} choose every record that was
 *       eligible before {@code -E} and had not ended before {@code -S}, whatever its state, REQUEUED and RESIZING ones
 *       included; with {@code -s} each state has its own rule. Times are relative ({@code now-3600}), so that no time
 *       zone is involved, and told as seconds since 1970.
 *   <li><b>Accounting is late</b>: each window reaches back over the last one, and runs that vanished without an end are
 *       asked for by number from time to time. Saving twice changes nothing.
 *   <li><b>Accounts, users and QoS</b> by {@code sacctmgr} in four calls an hour, whose columns only administrators write.
 *       Not by its JSON: that exists from 23.02 on only, in other shapes.
 *   <li><b>What is hidden is asked for.</b> With {@code PrivateData} Slurm shows a plain user its own jobs as if there were no
 *       others. Nothing is concluded from their absence, but nobody would be watched, so health names the missing right.
 *   <li><b>History goes backwards</b>, newest first, in windows that adapt to how slurmdbd bears them; how far it is stands
 *       in the store as one instant, since when ended jobs are known completely.
 *   <li><b>A job is looked at before and after it is acted on.</b> Its number may be another run's by now, and Slurm answers
 *       before it acts: scancel of an unknown job even ends with 0. A task of an array and a component of a heterogeneous
 *       job are named as people write them, because the raw id of one of them means all.
 *   <li><b>A job whose nodes still boot is no run</b>: Slurm sets its start anew when they are up.
 * </ul>
 */
@NullMarked
package io.fairwatch.collector.slurm;

import org.jspecify.annotations.NullMarked;
