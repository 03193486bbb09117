/** Judges jobs by rules: values and the time go in, verdicts come out. Pure: no I/O, no clock, no logging.
 *
 * <p>The collector reads rule files and facts, calls {@link io.fairwatch.rules.RuleSet#judge} for each subject and
 * {@link io.fairwatch.rules.Escalation#step} with each verdict, and stores what comes back. Nobody else uses this
 * package, and it knows nobody.
 *
 * <h2>A rule is one YAML file</h2>
 * No Java is written for it. {@code idle-gpu.yaml} beside this package explains each key; {@code index.txt} names the
 * files that ship. A rule judges subjects of one scope: {@code running_job}, {@code finished_job} (once, over all of its
 * time), {@code pending_job}, {@code node}, or {@code user} (over a period, which is the window). It asks in steps: {@code
 * applies}, of the subject alone; {@code select}, of each member of one of its lists, picks those that are meant; {@code
 * condition}, once per subject, says whether that is a finding. A rule about the subject as a whole has no {@code select}.
 * {@code each} names what {@code select} asks when it is not the first list of the scope. Its {@code cases} are a table of
 * facts and verdicts, run by {@link io.fairwatch.rules.RuleSet#runCases}. {@code for} holds settings that are different for
 * some partitions, GPU models, accounts or QoS.
 *
 * <h2>Vocabulary</h2>
 * Facts are the components of the records here, in snake case; the records say unit, range, source, and when a fact is
 * absent. {@code has(gpu.uuid)} asks whether a fact is there.
 *
 * <ul>
 *   <li>{@code job}, a running or finished job: {@link io.fairwatch.rules.JobAllocation}, {@link
 *       io.fairwatch.rules.JobUse}. {@code job.job_id}, {@code job.display_id}, {@code job.user}, {@code job.account},
 *       {@code job.partition}, {@code job.qos}, {@code job.name}, {@code job.reservation}, {@code job.comment},
 *       {@code job.nodes}, {@code job.gpus_allocated}, {@code job.cpus}, {@code job.memory_bytes}, {@code job.gpu_model},
 *       {@code job.node_names}, {@code job.node_cpus}, {@code job.node_memory_bytes}, {@code job.node_gpus},
 *       {@code job.elapsed_seconds}, {@code job.time_limit_seconds}, {@code job.interactive}, {@code job.state},
 *       {@code job.array}, {@code job.fresh}, {@code job.processes_max}, {@code job.cpu_seconds},
 *       {@code job.memory_used_max_bytes}, {@code job.gpus_together_max}, {@code job.window_seconds}
 *   <li>{@code gpu}, one GPU of it, list {@code gpus}: {@link io.fairwatch.rules.GpuFacts}. {@code gpu.node},
 *       {@code gpu.uuid}, {@code gpu.gres_index}, {@code gpu.model}, {@code gpu.allocated}, {@code gpu.coverage},
 *       {@code gpu.utilization_mean_ratio}, {@code gpu.utilization_max_ratio}, {@code gpu.memory_used_max_bytes},
 *       {@code gpu.memory_total_bytes}, {@code gpu.processes_max}, {@code gpu.idle_seconds}, {@code gpu.busy_before},
 *       {@code gpu.busy_ratio}, {@code gpu.memory_traffic_mean_ratio},
 *       {@code gpu.power_mean_watts}, {@code gpu.power_max_watts}, {@code gpu.power_limit_watts}, {@code gpu.energy_joules},
 *       {@code gpu.sm_mean_ratio}, {@code gpu.tensor_mean_ratio},
 *       {@code gpu.dram_mean_ratio}
 *   <li>{@code node}, one node of it, list {@code nodes}: {@link io.fairwatch.rules.JobNode}. {@code node.name},
 *       {@code node.gpus}, {@code node.gpus_seen}, {@code node.cpu_seconds}, {@code node.memory_used_max_bytes},
 *       {@code node.processes_max}, {@code node.coverage}
 *   <li>{@code queue}, who waits for GPUs of the kind, for running, finished and waiting jobs: {@link
 *       io.fairwatch.rules.QueueFacts}. {@code queue.gpu_model}, {@code queue.jobs_waiting}, {@code queue.gpus_wanted},
 *       {@code queue.gpus_free}
 *   <li>{@code job}, a waiting job: {@link io.fairwatch.rules.PendingFacts.Job}. {@code job.job_id},
 *       {@code job.display_id}, {@code job.user}, {@code job.account}, {@code job.partition}, {@code job.qos},
 *       {@code job.name}, {@code job.reservation}, {@code job.comment}, {@code job.waiting_seconds}, {@code job.reason},
 *       {@code job.nodes}, {@code job.cpus}, {@code job.memory_bytes}, {@code job.gpus}, {@code job.gpu_model},
 *       {@code job.fresh}
 *   <li>{@code place}, a node that it could run on, list {@code places}: {@link
 *       io.fairwatch.rules.PendingFacts.Place}. {@code place.name}, {@code place.gpus}, {@code place.cpus},
 *       {@code place.memory_bytes}, {@code place.gpus_free}, {@code place.cpus_free}, {@code place.memory_free_bytes}
 *   <li>{@code node}, a node, in scope {@code node}: {@link io.fairwatch.rules.NodeFacts.Node}. {@code node.name},
 *       {@code node.state}, {@code node.gpus}, {@code node.gpus_held}, {@code node.silent_seconds},
 *       {@code node.simulated}, {@code node.fresh}
 *   <li>{@code gpu}, one GPU of it, list {@code gpus}: {@link io.fairwatch.rules.NodeFacts.Gpu}. {@code gpu.uuid},
 *       {@code gpu.model}, {@code gpu.held}, {@code gpu.processes_outside_jobs_max}, {@code gpu.outsiders}, {@code gpu.utilization_max_ratio}, {@code gpu.coverage}
 *   <li>{@code directory}, a directory of scratch, in scopes {@code node} and {@code user}, list
 *       {@code directories}: {@link io.fairwatch.rules.DirectoryFacts}. {@code directory.node}, {@code directory.path},
 *       {@code directory.owner}, {@code directory.owner_gone}, {@code directory.used_bytes}, {@code directory.files},
 *       {@code directory.untouched_seconds}, {@code directory.share_ratio}, {@code directory.mount_used_ratio},
 *       {@code directory.limit_ratio}, {@code directory.counted_seconds}
 *   <li>{@code user}, a user over a period: {@link io.fairwatch.rules.UserFacts.User}, {@link
 *       io.fairwatch.rules.UserFacts.Now}. {@code user.name}, {@code user.account}, {@code user.jobs_run},
 *       {@code user.gpu_seconds}, {@code user.gpu_seconds_measured}, {@code user.gpu_seconds_idle},
 *       {@code user.utilization_mean_ratio}, {@code user.gpu_share_ratio}, {@code user.gpu_rank}, {@code user.coverage},
 *       {@code user.account_gpu_seconds}, {@code user.fresh}, {@code user.jobs_running}, {@code user.jobs_pending},
 *       {@code user.gpus_held}, {@code user.account_jobs_running}, {@code user.account_gpus_held}
 *   <li>{@code job}, one run of theirs, list {@code jobs}: {@link io.fairwatch.rules.UserFacts.Job}.
 *       {@code job.job_id}, {@code job.display_id}, {@code job.state}, {@code job.partition}, {@code job.name},
 *       {@code job.interactive}, {@code job.array}, {@code job.nodes}, {@code job.cpus}, {@code job.gpus},
 *       {@code job.memory_bytes}, {@code job.elapsed_seconds}, {@code job.period_seconds}, {@code job.time_limit_seconds},
 *       {@code job.cpu_seconds}, {@code job.memory_used_max_bytes}, {@code job.gpu_seconds_measured},
 *       {@code job.gpu_seconds_idle}, {@code job.gpus_never_used}, {@code job.utilization_mean_ratio},
 *       {@code job.gpu_memory_used_max_ratio}, {@code job.coverage}
 *   <li>the lists, everywhere but in {@code select} and {@code applies}: all members, also those of which nothing is known
 *   <li>{@code selected}, likewise: those that {@code select} picked
 *   <li>{@code coverage}, likewise: the least coverage of the allocated GPUs, or that of a user's GPU time; 1 if there are
 *       none
 *   <li>{@code params}, everywhere: the rule's parameters, by name
 *   <li>{@code window_seconds}, everywhere: length of the window; of a finished job, of its run
 * </ul>
 *
 * Functions besides CEL's own: {@code duration_text(int)}, {@code bytes_text(int)}, {@code percent_text(double)}, {@code
 * hours_text(double)} of seconds, {@code count_text(int, one, many)}, {@code list_text(list(string))}; of lists of int
 * {@code least}, {@code greatest}, {@code sum}; of lists of double {@code lowest}, {@code highest}, {@code total}, {@code
 * mean}; {@code round_up(double)}; {@code slurm_memory(int)} of bytes and {@code slurm_time(int)} of seconds, as
 * {@code #SBATCH} takes them.
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
 *   <li><b>Said once.</b> {@code covered_by} names rules that say the same and more, so that an idle notebook is not also
 *       told as an idle GPU. It is a name and not a condition, so that a site that switches the other rule off hears this
 *       one.
 *   <li><b>What may end a job is said by the rule</b> ({@code cancellable}), for each finding, and is false where anything
 *       is not known: whether a site ends jobs at all is its configuration, but no configuration can end a job that uses
 *       seven of eight GPUs.
 *   <li><b>Fast enough for all.</b> A fact is read out of its record when it is first asked for, once for all rules; {@code
 *       applies} saves asking of each GPU what cannot be. Expressions made of plain things (nearly all conditions) are
 *       computed directly and only give CEL what they are not sure of: measured, that is a tenth of the time. A test holds
 *       every shipped expression against CEL's own answer.
 *   <li><b>A window that does not fit is Unknown</b>, so that a rule can never be asked about facts made for another.
 *   <li><b>Translations stand beside the text</b> ({@code translations}), so that whoever changes one sees the other. They
 *       have the same facts and functions, which then say numbers and lists as that language does. Where one cannot be
 *       written, English must do.
 *   <li><b>Texts</b> are plain. What is inserted loses control characters, line breaks and marks that turn the writing
 *       direction, since users choose job names; escaping for HTML is the mailer's.
 *   <li><b>Suspicion must hold without a break</b>, but what has been found needs {@code resolve_after} to end: it
 *       should be hard to be accused, and one busy minute should not earn a second mail.
 * </ul> */
@NullMarked
package io.fairwatch.rules;

import org.jspecify.annotations.NullMarked;
