/**
 * Does something to jobs, where an administrator switched it on. Off by default.
 *
 * <p>{@code rules -> Notice PLANNED for Slurm (store) -> Enforcer -> Deeds (Slurm) -> audit, notices to owner and staff
 * (store)}. {@code Main} calls {@link io.fairwatch.collector.enforce.Enforcer} after each judging, on the same thread.
 *
 * <p>Decisions:
 *
 * <ul>
 *   <li><b>A deed is a step of a finding's ladder</b>, so it comes only after a warning that was delivered, and once in an
 *       episode. Everything else is asked again at the last moment: does the condition hold by the judging that just ended,
 *       are all GPUs of the run measured, is it the same run, does nobody excuse it, are the caps not reached, is the switch
 *       file not there. What is not known is a no.
 *   <li><b>No threat, no deed.</b> Each notice keeps what its mail said would be done and when at the earliest. A deed that the
 *       owner's last mail did not announce (enforcement was off, another rule or ladder was in force, a long digest only
 *       counted the job, it was a rehearsal) is announced first, by a mail of its own, and waits again as long as its step
 *       says. If that mail is lost or comes back, it is never done. A deed that came up while enforcement was off for the
 *       rule is withheld for good.
 *   <li><b>Jobs that wait</b> can be held back, moved to another QoS, get a shorter limit or be cancelled; Slurm does the
 *       first two to no job that runs, which is said when the configuration is read. Nothing was measured of them, so what
 *       Slurm says is all that there is to ask.
 *   <li><b>The record comes first.</b> INTENDED is in the audit trail, and the notice SENDING, before Slurm is asked. What is
 *       found SENDING after a crash is settled by what Slurm says of the run; only a run that goes on is looked at anew,
 *       from the beginning.
 *   <li><b>Every decision is kept</b>, those against too, with what it was decided by; the same reason again for the same deed
 *       is not written again.
 *   <li><b>Caps count intentions</b>, so that what failed counts too: a fault of ours or Slurm's ends with the cap.
 * </ul>
 */
@NullMarked
package io.fairwatch.collector.enforce;

import org.jspecify.annotations.NullMarked;
