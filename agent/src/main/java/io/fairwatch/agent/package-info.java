/**
 * The program that runs on each compute node: {@code Main} and its configuration. Nobody imports from here.
 *
 * <p>The node belongs to the job, so the agent's own cost was measured first, then cut. {@code deploy/bench/agent}
 * measures it again on any machine: 2,000 processes, 40 jobs, 16 simulated GPUs. What is decided, and what it was worth
 * there (Java 17, two shared cores; the numbers wander with the machine, their order does not):
 *
 * <ul>
 *   <li><b>Java is told little, in one place</b>, {@code deploy/bin/fairwatch-agent}. Serial GC, C1 alone and 24 MB of
 *       heap at most, 11 at first and grown reluctantly (15 MB less resident, no more CPU): C2 never pays at this pace,
 *       and costs 30 MB. {@code -UsePerfData}: 8 wakeups a second instead of 32. {@code GuaranteedSafepointInterval=0} and {@code AsyncDeflationInterval}: 0.2 wakeups a second; the two
 *       timers took 10 ms of each 30 s. {@code ActiveProcessorCount=2}: else a thread for each core.
 *   <li><b>A class archive</b>, which {@code fairwatch-agent prepare} makes of a rehearsal ({@code --rehearse}): from 2.3
 *       to 1.2 s of CPU until the first snapshot. {@code ArchiveRelocationMode=0} keeps it shared with its file: 53
 *       instead of 71 MB private. One archive of all classes in place of Java's own and ours saved 3 MB more and took
 *       two runs to make; lower compile thresholds cost 6 MB and saved nothing.
 *   <li><b>No logging framework</b> but slf4j-simple: Logback and the XML parser for its configuration were 500 of 6,000
 *       classes.
 *   <li><b>Nothing by method handles in what runs often</b>: where only C1 compiles they take ten times as long. So texts
 *       are joined by plain code ({@code -XDstringConcat=inline}), and equalities of records that are asked often are
 *       written out.
 *   <li><b>No timers but those of the work.</b> Vert.x looked after its HTTP connections and its threads each second:
 *       16 ms of each 30 s. GPUs are polled every 10 s, not every 5.
 *   <li>What the probes spend, and how less, stands with them ({@link io.fairwatch.agent.probe}).
 * </ul>
 */
@NullMarked
package io.fairwatch.agent;

import org.jspecify.annotations.NullMarked;
