package io.fairwatch.agent.probe;

import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds the cgroup directories of jobs. Slurm's own directories are searched for a few levels below each hierarchy
 * (the slice can be configured, and containers put names before it) and kept; the jobs in them are listed each time.
 * Confined to one thread.
 */
final class JobDirectories {
    private static final int DEEPEST = 6;
    private static final Duration SEARCH_EVERY = Duration.ofMinutes(5);
    private static final Duration SEARCH_AT_MOST_EVERY = Duration.ofMinutes(1);
    /** In this order: where processes sit most reliably first. */
    private static final List<String> V1_CONTROLLERS =
            List.of("freezer", "memory", "cpuacct", "devices", "cpuset", "blkio");

    /** Stands for the controllers of v2, which share one hierarchy. */
    private static final String V2 = "";

    private static final Set<String> NOT_A_JOB = Set.of("system", "slurmd");

    private final Path cgroupRoot;
    private List<Root> roots = List.of();
    private @Nullable Instant searchedAt;

    /** A mounted hierarchy and the controllers that it is for; {@link #V2} is for all. */
    private record Hierarchy(Path mount, List<String> controllers) {
        int rank() {
            return controllers.stream()
                    .mapToInt(V1_CONTROLLERS::indexOf)
                    .map(index -> index < 0 ? V1_CONTROLLERS.size() : index)
                    .min()
                    .orElse(V1_CONTROLLERS.size());
        }
    }

    /** A directory of Slurm's below which jobs lie: v1 {@code slurm}, with users between, or v2 {@code slurmstepd.scope}. */
    private record Root(Path path, List<String> controllers, boolean scope) {}

    /**
     * A job's directories.
     *
     * @param name e.g. {@code job_4711} or a SLUID
     * @param uid whose job it is; absent in v2
     * @param paths by controller; in v2 the only one
     */
    record JobDirectory(String name, OptionalInt uid, Map<String, Path> paths) {
        /** The file that tells something: in v1 under its controller, in v2 under another name. */
        Optional<Path> file(String controller, String v1, String v2) {
            Path directory = paths.get(controller);
            if (directory != null) {
                return Optional.of(directory.resolve(v1));
            }
            directory = paths.get(V2);
            return directory == null ? Optional.empty() : Optional.of(directory.resolve(v2));
        }

        /** The directory that tells best which processes are in the job. */
        Path members() {
            return paths.values().iterator().next();
        }

        boolean stands() {
            return paths.values().stream().anyMatch(Files::exists);
        }
    }

    JobDirectories(Path cgroupRoot) {
        this.cgroupRoot = cgroupRoot;
    }

    /** Lists every job that has a directory now. */
    List<JobDirectory> list(Instant at) {
        if (roots.isEmpty() || olderThan(SEARCH_EVERY, at)) {
            search(at);
        }
        Map<String, JobDirectory> jobs = new LinkedHashMap<>();
        for (Root root : roots) {
            if (root.scope) {
                children(root.path).stream()
                        .filter(child -> isJob(root.path.resolve(child)))
                        .forEach(child -> merge(jobs, root, root.path.resolve(child), OptionalInt.empty()));
            } else {
                for (String user : children(root.path)) {
                    OptionalInt uid = CgroupPath.uidIn(user);
                    if (uid.isPresent()) {
                        Path directory = root.path.resolve(user);
                        children(directory).stream()
                                .filter(child -> CgroupPath.jobIdIn(child).isPresent())
                                .forEach(child -> merge(jobs, root, directory.resolve(child), uid));
                    }
                }
            }
        }
        return List.copyOf(jobs.values());
    }

    /** Whether Slurm's own directories stand anywhere. */
    boolean anyRoot() {
        return !roots.isEmpty();
    }

    /** Searches for Slurm's directories again, because a job was seen that is in none of those that are known. */
    void searchAgain(Instant at) {
        search(at);
    }

    private static void merge(Map<String, JobDirectory> jobs, Root root, Path path, OptionalInt uid) {
        String name = path.getFileName().toString();
        JobDirectory job = jobs.computeIfAbsent(name, first -> new JobDirectory(name, uid, new LinkedHashMap<>()));
        root.controllers.forEach(controller -> job.paths.putIfAbsent(controller, path));
    }

    private static boolean isJob(Path path) {
        String name = path.getFileName().toString();
        if (CgroupPath.jobIdIn(name).isPresent()
                || CgroupPath.SLUID.matcher(name).matches()) {
            return true;
        }
        return name.indexOf('.') < 0
                && !NOT_A_JOB.contains(name)
                && children(path).stream().anyMatch(child -> child.startsWith("step_"));
    }

    private boolean olderThan(Duration age, Instant at) {
        return searchedAt == null || searchedAt.plus(age).isBefore(at);
    }

    private void search(Instant at) {
        if (!olderThan(SEARCH_AT_MOST_EVERY, at)) {
            return;
        }
        searchedAt = at;
        List<Root> found = new ArrayList<>();
        for (Hierarchy hierarchy : hierarchies()) {
            search(hierarchy, hierarchy.mount, 1, found);
        }
        roots = List.copyOf(found);
    }

    private static void search(Hierarchy hierarchy, Path directory, int depth, List<Root> found) {
        for (String name : children(directory)) {
            Path child = directory.resolve(name);
            boolean scope = CgroupPath.isScope(name);
            if (!Files.isDirectory(child, LinkOption.NOFOLLOW_LINKS)) {
                continue;
            }
            if (scope || CgroupPath.isSlurm(name)) {
                found.add(new Root(child, hierarchy.controllers, scope));
            } else if (depth < DEEPEST
                    && !name.endsWith(".service")
                    && !name.endsWith(".scope")
                    && !name.equals("user.slice")) {
                search(hierarchy, child, depth + 1, found);
            }
        }
    }

    /** The mounted hierarchies that matter: v2's only one, or v1's of {@link #V1_CONTROLLERS} and a hybrid's v2. */
    private List<Hierarchy> hierarchies() {
        if (Files.exists(cgroupRoot.resolve("cgroup.controllers"))) {
            return List.of(new Hierarchy(cgroupRoot, List.of(V2)));
        }
        List<Hierarchy> found = new ArrayList<>();
        for (String name : children(cgroupRoot)) {
            Path mount = cgroupRoot.resolve(name);
            List<String> controllers = new ArrayList<>(List.of(name.split(",", -1)));
            controllers.retainAll(V1_CONTROLLERS);
            if (Files.isSymbolicLink(mount)) {
                continue; // cpuacct, for one, leads to cpu,cpuacct
            }
            if (!controllers.isEmpty()) {
                found.add(new Hierarchy(mount, List.copyOf(controllers)));
            } else if (Files.exists(mount.resolve("cgroup.controllers"))) {
                found.add(new Hierarchy(mount, List.of(V2)));
            }
        }
        found.sort(Comparator.comparingInt(Hierarchy::rank));
        return found;
    }

    /** Names in a directory, in order; none when it is gone or not a directory. */
    static List<String> children(Path directory) {
        String[] names = directory.toFile().list();
        if (names == null) {
            return List.of();
        }
        List<String> sorted = new ArrayList<>(List.of(names));
        Collections.sort(sorted);
        return sorted;
    }
}
