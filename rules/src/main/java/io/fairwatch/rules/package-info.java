/** Judges jobs by rules: values and the time go in, verdicts come out. Pure: no I/O, no clock, no logging.
 *
 * <p>The collector reads rule files and facts, calls {@link io.fairwatch.rules.RuleSet#judge} for each running job and
 * {@link io.fairwatch.rules.Escalation#step} with the verdict, and stores what comes back. Nobody else uses this
 * package, and it knows nobody.
 *
 * <h2>A rule is one YAML file</h2>
 * No Java is written for it. {@code idle-gpu.yaml} beside this package explains each key; {@code index.txt} names the
 * files that ship. A rule asks in two steps: {@code select}, once per GPU, picks those that are meant;
 * {@code condition}, once per job, says whether that is a finding. A rule about the job as a whole has no
 * {@code select}. Its {@code cases} are a table of facts and verdicts, run by {@link
 * io.fairwatch.rules.RuleSet#runCases}.
 *
 * <h2>Vocabulary</h2>
 * Facts are the components of the records here, in snake case; the records say unit, range, source, and when a fact is
 * absent. {@code has(gpu.uuid)} asks whether a fact is there.
 *
 * <ul>
 *   <li>{@code gpu}, in {@code select}: one GPU, with {@code gpu.node}, {@code gpu.uuid}, {@code gpu.gres_index},
 *       {@code gpu.model}, {@code gpu.allocated}, {@code gpu.coverage}, {@code gpu.utilization_mean_ratio},
 *       {@code gpu.utilization_max_ratio}, {@code gpu.memory_used_max_bytes}, {@code gpu.memory_total_bytes},
 *       {@code gpu.processes_max}, {@code gpu.idle_seconds}, {@code gpu.busy_before}
 *   <li>{@code job}, everywhere: {@code job.job_id}, {@code job.display_id}, {@code job.user}, {@code job.account}, {@code job.partition},
 *       {@code job.qos}, {@code job.name}, {@code job.nodes}, {@code job.gpus_allocated}, {@code job.cpus},
 *       {@code job.memory_bytes}, {@code job.elapsed_seconds}, {@code job.time_limit_seconds} (absent: unlimited),
 *       {@code job.interactive}, {@code job.fresh}, {@code job.processes_max}, {@code job.cpu_seconds}
 *   <li>{@code gpus}, everywhere but in {@code select}: all GPUs of the job, also those of which nothing is known
 *   <li>{@code selected}, likewise: those that {@code select} picked
 *   <li>{@code coverage}, likewise: the least coverage of the allocated GPUs; 1 if there are none
 *   <li>{@code params}, everywhere: the rule's parameters, by name
 *   <li>{@code window_seconds}, everywhere: length of the window
 * </ul>
 *
 * Functions besides CEL's own: {@code duration_text(int)}, {@code bytes_text(int)}, {@code percent_text(double)},
 * {@code count_text(int, one, many)}, {@code list_text(list(string))}, and of lists of int {@code least},
 * {@code greatest}, {@code sum}.
 *
 * <h2>Decisions</h2>
 * <ul>
 *   <li><b>Typed.</b> The types of {@code job} and {@code gpu} are taken from the records by reflection, that of
 *       {@code params} from the rule, so a misspelt fact or a comparison of text with a number is refused when the rule
 *       is read. CEL's own native-types extension makes an empty Optional an optional value, which each rule would have
 *       to unwrap by hand, and knows no OptionalDouble; protobuf would say every fact twice.
 *   <li><b>Absent is unknown.</b> Reading an absent fact gives a CEL unknown, and CEL's logic does the rest:
 *       {@code false && unknown} is false, {@code true && unknown} is unknown. Only CEL's planner runtime reads fields of
 *       values that are neither protobuf nor maps, so it is asked for by name.
 *   <li><b>Missing data accuses nobody.</b> Below the minimum coverage all that was read from a GPU is absent, and it
 *       is never selected, whatever {@code select} says. A GPU that Slurm allocated and no facts tell of stands in
 *       {@code gpus} with nothing known. If the condition is not true and some GPU is unknown, so is the verdict; if it
 *       is true on what is known, it is a finding of the known ones. So a condition must not become false when more
 *       GPUs are selected.
 *   <li><b>One bad rule stops nothing.</b> Whatever goes wrong in an expression makes that verdict Unknown, with the
 *       reason. Cost is bounded: expressions have a greatest length and depth, loops go over lists only and have a
 *       common limit, regular expressions run in linear time.
 *   <li><b>Read strictly, by node.</b> snakeyaml's nodes have lines; data binding would stop at the first problem and
 *       forget where it was. In a literal block ({@code |}) a problem is on the very line, in folded text on the first.
 *   <li><b>Overrides by name.</b> A site changes durations, thresholds and exemptions without a copy that would age. A
 *       rule's cases are held against the file, not the overrides.
 *   <li><b>A window that does not fit is Unknown</b>, so that a rule can never be asked about facts made for another.
 *   <li><b>Texts</b> are plain. What is inserted loses control characters, line breaks and marks that turn the writing
 *       direction, since users choose job names; escaping for HTML is the mailer's.
 *   <li><b>Suspicion must hold without a break</b>, but what has been found needs {@code resolve_after} to end: it
 *       should be hard to be accused, and one busy minute should not earn a second mail.
 * </ul> */
@NullMarked
package io.fairwatch.rules;

import org.jspecify.annotations.NullMarked;
