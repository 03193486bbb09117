/**
 * {@code fairwatch-agent doctor}: what works on this node, what does not, why, and what to do about it.
 *
 * <ul>
 *   <li><b>A check</b> ({@link io.fairwatch.agent.doctor.Check}) looks at one thing and answers with findings. Adding one
 *       is a class here and a line in {@link io.fairwatch.agent.doctor.Doctor#checks}.
 *   <li><b>Nothing holds it up.</b> Each check has a thread and a deadline, since a hung driver and a dead file server are
 *       what a doctor is called for. One that does not answer is a finding.
 *   <li><b>It changes nothing</b> and runs no command. It may be run beside the agent: the spool is looked at, not
 *       opened, and the collector is sent an empty batch, which it refuses after it has looked at the token.
 *   <li><b>Whose rights.</b> An administrator is root, the agent is not. Where an agent runs, its user, capabilities and
 *       limits are looked at, else the doctor's own.
 *   <li><b>The kernel's files</b> are read below a root that tests put elsewhere. GPUs are read from {@code
 *       /proc/driver/nvidia}, which answers while NVML hangs.
 * </ul>
 */
@NullMarked
package io.fairwatch.agent.doctor;

import org.jspecify.annotations.NullMarked;
