/**
 * What the cluster's GPUs were used for in a period.
 *
 * <p>{@link io.fairwatch.collector.report.ReportMaker} asks the store for a period in sums and makes a {@link
 * io.fairwatch.collector.report.Report} of it: figures, advice and sections, in no language yet. {@link
 * io.fairwatch.collector.report.ReportFiles} writes it as page, PDF, tables and JSON. Only sums leave the store, however
 * many runs there were; reads only.
 *
 * <ul>
 *   <li><b>Allocated is Slurm's alone</b>: the time that a run held its GPUs, cut to the second at the period's borders,
 *       times {@code gres/gpu}; typed entries name the same GPUs again. Suspended time is held time, for slurmdbd takes it
 *       off CPUs alone; {@code sacct} leaves it out of Elapsed, so it is told beside it. Of a run that is cut, Slurm does
 *       not tell in which part it was suspended; nothing is taken off and that is said. {@link
 *       io.fairwatch.collector.report.AccountingCheck} compares with {@code sreport}.
 *   <li><b>Used is what nodes saw</b>, with how much of the held time that is. What was not seen stands apart and is
 *       filled in nowhere.
 *   <li><b>The same period makes the same bytes</b>: sums are of whole milliseconds and joules, so that no order of adding
 *       matters; everything is sorted to the end; no date of today is in it.
 *   <li><b>Charts are rectangles and texts</b>, written as SVG for browsers and as boxes for the PDF: no script, no
 *       network, no library that draws. Each stands above its table.
 *   <li><b>Time lost after a warning</b> is told by roll-ups; of five minutes in which two runs held a GPU nothing is told of
 *       either, so it is a little less than it was, never more.
 *   <li><b>Mails are {@link io.fairwatch.collector.notice.Post}'s</b>: this package says only what is due and what it says.
 *   <li><b>Scripts are for people</b>: they only print until called with {@code --run}, and leave out names that a command
 *       could misread. Nothing here runs them.
 * </ul>
 */
@NullMarked
package io.fairwatch.collector.report;

import org.jspecify.annotations.NullMarked;
