/**
 * Reads the node: each {@link io.fairwatch.agent.probe.Probe} one source, into records of {@code agent.wire}.
 *
 * <p>A probe runs no external command (OSHI runs {@code uname} once, when it is made) and needs no privilege for
 * what is on by default. Roots such as {@code /proc} and {@code /sys/fs/cgroup} come in through the constructor, so that
 * tests and containers point elsewhere. Units are converted here, once, where a number enters. What cannot be read is
 * absent.
 *
 * <p>What is decided, and why:
 *
 * <ul>
 *   <li><b>Jobs by cgroup.</b> {@code CgroupPath} reads a process's place, {@code JobResolver} turns it into a job, and
 *       {@code JobDirectories} finds the jobs that stand, with or without processes. The totals of a job are the
 *       kernel's: they count processes that came and went between two snapshots, and shared memory once. Where a process
 *       has no cgroup of Slurm's, its slurmstepd is looked for among its ancestors; its environment is asked only where a
 *       site wants that ({@code JobEnvironment}). A user's CPU time in jobs is that of the jobs' cgroups, too.
 *   <li><b>Processes by {@code /proc} and not by OSHI.</b> OSHI reads five files of each process through maps and
 *       regular expressions: for 2,000 processes 124 ms of CPU and 254 MB of garbage a pass, against 19 ms and 0.5 MB
 *       for {@code stat} alone, 10 ms when the files stay open; and {@code OSProcess.getUser()} starts
 *       a {@code getent} for each. So OSHI is used for the node as a whole and {@link
 *       io.fairwatch.agent.probe.ProcTree} for processes; a test compares the two.
 *   <li><b>Who sleeps is looked at less often.</b> Listing 2,000 processes takes the kernel 2 ms, their {@code stat} 9.5
 *       ms from open files and 18 ms from closed ones. Most processes of a node sleep, so those are left alone for up to
 *       15 snapshots of 16 ({@code Watched} says how late what they do is told, and why nothing of it is lost): of 2,000
 *       about 300 are read. A pid that came back is seen all the same, by the inode of its directory, which the listing
 *       tells for nothing.
 *   <li><b>Files of cgroups stay open</b> ({@code KernelFile}): opening and closing one takes 8 us, reading it 1 us, 7 us
 *       for v1's {@code memory.stat}. Read by {@code pread} into one buffer and parsed there, they make no garbage.
 *   <li><b>Directories are listed once.</b> v1 has a directory of a job in each of seven hierarchies: 147 listings for 20
 *       users, 3.5 ms a snapshot. One hierarchy is listed, the others follow from it and are listed every eighth time.
 *       Kills are counted in each step's own directory: those are looked at when the node's counter has moved.
 *   <li><b>What is looked at from one snapshot to the next is kept</b>, not made again: with maps of all processes made
 *       anew in each, collecting garbage took 5 of 44 ms, now less than 1 of 22.
 *   <li><b>One listing per snapshot.</b> The sampler refreshes the tree; the probes of users and jobs, and NVML's,
 *       which has pids to explain, ask it.
 *   <li><b>Names of users</b> are looked up beside, never in the way ({@link io.fairwatch.agent.probe.UserNames}).
 *   <li><b>Scratch</b> is told by the cheapest source that tells the truth. Quotas cost nothing, but the kernel shows
 *       them to {@code CAP_SYS_ADMIN} only; user quotas are those of a whole file system, so they are not used for a mount
 *       that is a directory of one; project quotas are used only where every directory at the top is a project of its own
 *       that new files inherit, because a list with holes would accuse those who are on it. CephFS is asked for its
 *       attributes and never walked: every node would. Else a walk, which works everywhere and is throttled. Inode scans
 *       (ext4, XFS) are ten times cheaper than a walk and want the block device, which is root's. Quotas and CephFS do
 *       not tell what a walk does: quotas no last write, CephFS no users. One command lists the quotas of ext4 and of XFS:
 *       the kernel fills {@code Q_GETNEXTQUOTA} from the same figures as XFS's own. Java tells neither blocks on disk nor
 *       owners without a name lookup, so {@code Libc} asks the system, by the only native calls here but for those of
 *       {@code ServiceNotice}. A
 *       directory that the agent may not read is not guessed at.
 *   <li><b>Nobody is gone lightly.</b> A directory service that is down says so of everybody ({@link
 *       io.fairwatch.agent.probe.UserNames}).
 *   <li><b>PSS</b> is off by default and read in small portions beside ({@link
 *       io.fairwatch.agent.probe.ProportionalMemory}): 15 ms of CPU per GB cannot be paid at each snapshot.
 * </ul>
 */
@NullMarked
package io.fairwatch.agent.probe;

import org.jspecify.annotations.NullMarked;
