package io.fairwatch.agent.probe;

import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
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
    private static final List<String> V1_CONTROLLERS = List.of("freezer", "memory", "cpuacct", "devices", "cpuset");

    private static final Set<String> NOT_A_JOB = Set.of("system", "slurmd");

    private final Path cgroupRoot;
    private List<Root> roots = List.of();
    private @Nullable Instant searchedAt;

    /** A directory of Slurm's below which jobs lie: v1 {@code slurm}, with users between, or v2 {@code slurmstepd.scope}. */
    private record Root(Path path, boolean v2) {}

    /**
     * A job's directories. Immutable.
     *
     * @param name e.g. {@code job_4711} or a SLUID
     * @param uid whose job it is; absent in v2
     * @param paths one for each v1 hierarchy in which the job stands, or the only one of v2
     */
    record JobDirectory(String name, OptionalInt uid, List<Path> paths) {
        /** The text of the first of these files that can be read. */
        Optional<String> readText(String v1, String v2) {
            return find(v1, v2).flatMap(KernelFiles::readText);
        }

        /** The first of these files that is there. */
        Optional<Path> find(String v1, String v2) {
            for (Path path : paths) {
                for (String file : List.of(v2, v1)) {
                    Path found = path.resolve(file);
                    if (Files.exists(found)) {
                        return Optional.of(found);
                    }
                }
            }
            return Optional.empty();
        }

        boolean stands() {
            return paths.stream().anyMatch(Files::exists);
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
            if (root.v2) {
                children(root.path).stream()
                        .filter(child -> isJob(root.path.resolve(child)))
                        .forEach(child -> merge(jobs, root.path.resolve(child), child, OptionalInt.empty()));
            } else {
                for (String user : children(root.path)) {
                    OptionalInt uid = CgroupPath.uidIn(user);
                    if (uid.isPresent()) {
                        Path directory = root.path.resolve(user);
                        children(directory).stream()
                                .filter(child -> CgroupPath.jobIdIn(child).isPresent())
                                .forEach(child -> merge(jobs, directory.resolve(child), child, uid));
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

    private static void merge(Map<String, JobDirectory> jobs, Path path, String name, OptionalInt uid) {
        JobDirectory known = jobs.get(name);
        List<Path> paths = new ArrayList<>(known == null ? List.of() : known.paths);
        paths.add(path);
        jobs.put(name, new JobDirectory(name, uid, List.copyOf(paths)));
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
        for (Path hierarchy : hierarchies()) {
            search(hierarchy, 1, found);
        }
        roots = List.copyOf(found);
    }

    private static void search(Path directory, int depth, List<Root> found) {
        for (String name : children(directory)) {
            Path child = directory.resolve(name);
            boolean v2 = CgroupPath.isScope(name);
            if (!Files.isDirectory(child, LinkOption.NOFOLLOW_LINKS)) {
                continue;
            }
            if (v2 || CgroupPath.isSlurm(name)) {
                found.add(new Root(child, v2));
            } else if (depth < DEEPEST
                    && !name.endsWith(".service")
                    && !name.endsWith(".scope")
                    && !name.equals("user.slice")) {
                search(child, depth + 1, found);
            }
        }
    }

    /** The mounted hierarchies that matter: v2's only one, or v1's of {@link #V1_CONTROLLERS} and a hybrid's v2. */
    private List<Path> hierarchies() {
        if (Files.exists(cgroupRoot.resolve("cgroup.controllers"))) {
            return List.of(cgroupRoot);
        }
        Map<Path, Integer> rank = new LinkedHashMap<>();
        for (String name : children(cgroupRoot)) {
            Path mount = cgroupRoot.resolve(name);
            if (Files.isSymbolicLink(mount)) {
                continue;
            }
            for (String controller : name.split(",", -1)) {
                int index = V1_CONTROLLERS.indexOf(controller);
                if (index >= 0) {
                    rank.merge(mount, index, Math::min);
                }
            }
            if (Files.exists(mount.resolve("cgroup.controllers"))) {
                rank.put(mount, V1_CONTROLLERS.size());
            }
        }
        List<Path> mounts = new ArrayList<>(rank.keySet());
        mounts.sort((one, other) -> Integer.compare(rank.getOrDefault(one, 0), rank.getOrDefault(other, 0)));
        return mounts;
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
