package io.fairwatch.agent.probe;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Where in Slurm's cgroups a process sits, read from {@code /proc/PID/cgroup}. Immutable.
 *
 * <p>The paths that Slurm makes:
 *
 * <pre>{@code
 * v1  N:freezer:/slurm[_NODE]/uid_U/job_J/step_S             no task level in the freezer and in cpuset
 *     N:memory:/slurm[_NODE]/uid_U/job_J/step_S/task_T
 * v2  0::/system.slice/[NODE_]slurmstepd.scope/job_J/step_S/user/task_T
 *     0::/system.slice/[NODE_]slurmstepd.scope/job_J/step_S/slurm        slurmstepd itself
 *     0::/system.slice/[NODE_]slurmstepd.scope/SLUID/step_S/user/task_T  from Slurm 26.05
 * }</pre>
 *
 * <ul>
 *   <li>The path is searched, not anchored: containers and namespaces put something before it ({@code /../../job_7}
 *       too), and users nest cgroups below their task. The outermost job counts.
 *   <li>Below a {@code .service} or {@code user.slice} anybody may make cgroups of any name, so nothing there is a job.
 *   <li>In v1 the freezer decides, then devices: slurmstepd, which is root's and no work of the user, sits in the step's
 *       memory cgroup, but outside the freezer's: in the job's or in none.
 *   <li>A directory that has steps is a job whatever its name; slurmstepd then says which ({@link JobResolver}).
 * </ul>
 *
 * @param directory name of the job's directory, e.g. {@code job_748468} or a SLUID
 * @param jobId raw job id; absent when the directory's name does not tell
 * @param uid the job's user; absent in v2
 * @param step {@code batch}, {@code extern}, {@code interactive} or a number; absent right in the job's directory
 * @param task the task within the step; absent outside one
 * @param slurmsOwn whether this is slurmstepd's place and not the user's
 */
record CgroupPath(
        String directory,
        OptionalLong jobId,
        OptionalInt uid,
        Optional<String> step,
        Optional<String> task,
        boolean slurmsOwn) {
    static final Pattern SLUID = Pattern.compile("[sS][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{13}");

    private static final Pattern STEP = Pattern.compile("step_([A-Za-z0-9][A-Za-z0-9._-]{0,31})");
    private static final Pattern TASK = Pattern.compile("task_(\\w{1,32})");
    private static final Pattern SCOPE = Pattern.compile("(.*_)?slurmstepd\\.scope");
    private static final Pattern SLURM = Pattern.compile("slurm(_.*)?");
    private static final String DELETED = " (deleted)";

    /** Whether a directory of this name, at the top of Slurm's v2 scope, holds jobs. */
    static boolean isScope(String name) {
        return SCOPE.matcher(name).matches();
    }

    /** Whether a directory of this name holds v1's {@code uid_U} directories. */
    static boolean isSlurm(String name) {
        return SLURM.matcher(name).matches();
    }

    /** The user id in {@code uid_1000}. */
    static OptionalInt uidIn(String name) {
        return toInt(numberAfter("uid_", name));
    }

    /** The raw job id in {@code job_4711}. */
    static OptionalLong jobIdIn(String name) {
        OptionalLong id = numberAfter("job_", name);
        return id.isPresent() && id.getAsLong() > 0 ? id : OptionalLong.empty();
    }

    /** A number of up to ten digits; asked of each directory in each snapshot, so without a pattern. */
    private static OptionalLong numberAfter(String prefix, String name) {
        return name.startsWith(prefix) && name.length() <= prefix.length() + 10
                ? KernelFiles.parseNumber(name.substring(prefix.length()))
                : OptionalLong.empty();
    }

    /** Reads a whole {@code /proc/PID/cgroup}; empty when none of its lines is in a job. */
    static Optional<CgroupPath> parse(String file) {
        @Nullable Found best = null;
        List<Found> all = new ArrayList<>();
        boolean freezerOutsideSteps = false;
        for (String line : file.split("\n", -1)) {
            String[] parts = line.split(":", 3);
            if (parts.length < 3 || KernelFiles.parseNumber(parts[0]).isEmpty()) {
                continue;
            }
            List<String> controllers = List.of(parts[1].split(",", -1));
            Optional<CgroupPath> path = parsePath(parts[2]);
            freezerOutsideSteps |= controllers.contains("freezer")
                    && path.flatMap(CgroupPath::step).isEmpty();
            if (path.isEmpty()) {
                continue;
            }
            Found found = new Found(controllers, path.get());
            all.add(found);
            if (best == null || found.rank() < best.rank()) {
                best = found;
            }
        }
        if (best == null) {
            return Optional.empty();
        }
        CgroupPath path = best.path;
        Optional<String> step = path.step;
        Optional<String> task = path.task;
        boolean accounted = false;
        for (Found found : all) {
            if (found.path.directory.equals(path.directory)) {
                step = step.or(found.path::step);
                task = task.or(found.path::task);
                accounted |= found.accounts();
            }
        }
        boolean slurmstepd = freezerOutsideSteps && accounted && step.isPresent() && task.isEmpty();
        return Optional.of(
                new CgroupPath(path.directory, path.jobId, path.uid, step, task, path.slurmsOwn || slurmstepd));
    }

    /** One line's path that is in a job, and which controllers the line is about; v2 has none. */
    private record Found(List<String> controllers, CgroupPath path) {
        int rank() {
            if (controllers.contains("freezer") || controllers.contains("")) {
                return 0;
            }
            if (controllers.contains("devices")) {
                return 1;
            }
            return path.task.isPresent() ? 2 : 3;
        }

        /** Whether the line is of a hierarchy in which Slurm gives each task its own directory. */
        boolean accounts() {
            return controllers.contains("memory") || controllers.contains("cpuacct") || controllers.contains("devices");
        }
    }

    private static Optional<CgroupPath> parsePath(String path) {
        if (!path.contains("/job_") && !path.contains("/step_") && !path.contains("slurmstepd.scope/")) {
            return Optional.empty(); // most lines of most processes, so it must be quick
        }
        String whole = path.endsWith(DELETED) ? path.substring(0, path.length() - DELETED.length()) : path;
        List<String> names = new ArrayList<>();
        for (String name : whole.split("/", -1)) {
            if (!name.isEmpty()) {
                names.add(name);
            }
        }
        boolean namespaced = true;
        for (int i = 0; i < names.size(); i++) {
            String name = names.get(i);
            if (name.endsWith(".service") || name.equals("user.slice")) {
                return Optional.empty();
            }
            boolean inScope = i > 0 && isScope(names.get(i - 1));
            boolean inUid = i > 1 && uidIn(names.get(i - 1)).isPresent() && isSlurm(names.get(i - 2));
            if (inUid && jobIdIn(name).isPresent()) {
                return Optional.of(inJob(names, i, uidIn(names.get(i - 1)), true));
            }
            boolean numbered = jobIdIn(name).isPresent();
            boolean sluid = SLUID.matcher(name).matches();
            boolean hasStep =
                    i + 1 < names.size() && STEP.matcher(names.get(i + 1)).matches();
            if ((inScope && (numbered || sluid || hasStep)) || (namespaced && (numbered || (sluid && hasStep)))) {
                return Optional.of(inJob(names, i, OptionalInt.empty(), false));
            }
            namespaced &= name.equals("..");
        }
        return Optional.empty();
    }

    private static CgroupPath inJob(List<String> names, int job, OptionalInt uid, boolean v1) {
        Optional<String> step = group(STEP, names, job + 1);
        boolean slurmsOwn = !v1 && names.size() > job + 2 && names.get(job + 2).equals("slurm");
        Optional<String> task = v1 ? group(TASK, names, job + 2) : group(TASK, names, job + 3);
        return new CgroupPath(names.get(job), jobIdIn(names.get(job)), uid, step, task, slurmsOwn);
    }

    private static Optional<String> group(Pattern pattern, List<String> names, int at) {
        if (at >= names.size()) {
            return Optional.empty();
        }
        Matcher matcher = pattern.matcher(names.get(at));
        return matcher.matches() ? Optional.of(matcher.group(1)) : Optional.empty();
    }

    private static OptionalInt toInt(OptionalLong number) {
        return number.isPresent() && number.getAsLong() <= Integer.MAX_VALUE
                ? OptionalInt.of((int) number.getAsLong())
                : OptionalInt.empty();
    }
}
