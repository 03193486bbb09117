package io.fairwatch.agent.probe;

import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Finds the cgroup directories of jobs. Slurm's own directories are searched for a few levels below each hierarchy
 * (the slice can be configured, and containers put names before it) and kept; the jobs in them are listed each time.
 * Confined to one thread.
 */
final class JobDirectories {
    private static final int DEEPEST = 6;
    private static final Duration SEARCH_EVERY = Duration.ofMinutes(5);
    /** A search costs about as much as a snapshot's listing where there is little, ten times that on a desktop. */
    private static final Duration SEARCH_AT_MOST_EVERY = Duration.ofSeconds(10);

    /** A job that has a directory only where others of its kind are not listed shows that much later. */
    private static final int LIST_ALL_EVERY = 8;

    /**
     * Jobs whose files stay open, sixteen at most of each: well below the limit that a service has for open files, beside
     * those of processes.
     */
    static final int MOST_KEPT_OPEN = 256;

    /** In this order: where processes sit most reliably first. */
    private static final List<String> V1_CONTROLLERS =
            List.of("freezer", "memory", "cpuacct", "devices", "cpuset", "blkio");

    /** Stands for the controllers of v2, which share one hierarchy. */
    private static final String V2 = "";

    private static final Set<String> NOT_A_JOB = Set.of("system", "slurmd");

    private final Path cgroupRoot;
    private final LongSupplier nanoTime;
    private List<Root> roots = List.of();
    private @Nullable Long searchedAt;
    private final Map<String, JobDirectory> jobs = new LinkedHashMap<>();
    private int listings;

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
    private record Root(String name, Path path, List<String> controllers, boolean scope) {}

    /** A job's directories, from one listing to the next, with the files in them that are read each time. */
    static final class JobDirectory {
        private final String name;
        private final OptionalInt uid;
        private volatile Map<String, Path> paths = Map.of();
        private final Map<String, KernelFile> files = new HashMap<>();
        private final int firstListedIn;
        private final boolean keptOpen;
        private int listedIn;
        /** Whether it has no directory where its kind is listed each time. */
        private boolean elsewhere;

        private JobDirectory(String name, OptionalInt uid, int listing, boolean keptOpen) {
            this.keptOpen = keptOpen;
            this.name = name;
            this.uid = uid;
            this.firstListedIn = listing;
        }

        /** E.g. {@code job_4711} or a SLUID. */
        String name() {
            return name;
        }

        /** Whose job it is; absent in v2. */
        OptionalInt uid() {
            return uid;
        }

        /** Whether v2 accounts for its memory. */
        boolean isV2() {
            return paths.containsKey(V2) && !paths.containsKey("memory");
        }

        /** Where a controller accounts for it; absent where none does, and in v2. */
        Optional<Path> path(String controller) {
            return Optional.ofNullable(paths.get(controller));
        }

        /** The path of what tells something: in v1 under its controller, in v2 under another name. */
        Optional<Path> file(String controller, String v1, String v2) {
            Path directory = paths.get(controller);
            if (directory != null) {
                return Optional.of(directory.resolve(v1));
            }
            directory = paths.get(V2);
            return directory == null ? Optional.empty() : Optional.of(directory.resolve(v2));
        }

        /** The same, opened once; absent where no hierarchy is for it. */
        Optional<KernelFile> kept(String controller, String v1, String v2) {
            boolean own = paths.containsKey(controller);
            if (!own && !paths.containsKey(V2)) {
                return Optional.empty();
            }
            String file = own ? v1 : v2;
            KernelFile kept = files.get(file);
            if (kept == null) {
                kept = new KernelFile(paths.get(own ? controller : V2) + "/" + file);
                files.put(file, kept);
            }
            return Optional.of(kept);
        }

        /** Ends a reading of it. */
        void rest() {
            if (!keptOpen) {
                files.values().forEach(KernelFile::close);
            }
        }

        /** The directory that tells best which processes are in the job. */
        Path members() {
            return V1_CONTROLLERS.stream()
                    .map(paths::get)
                    .filter(Objects::nonNull)
                    .findFirst()
                    .orElseGet(() -> paths.values().iterator().next());
        }

        /** Thread-safe. */
        boolean stands() {
            return paths.values().stream().anyMatch(Files::exists);
        }

        private void add(String controller, Path path) {
            Map<String, Path> more = new HashMap<>(paths);
            more.putIfAbsent(controller, path);
            paths = Map.copyOf(more);
        }

        private void close() {
            files.values().forEach(KernelFile::close);
            files.clear();
        }
    }

    /** @param nanoTime a clock that nobody sets */
    JobDirectories(Path cgroupRoot, LongSupplier nanoTime) {
        this.cgroupRoot = cgroupRoot;
        this.nanoTime = nanoTime;
    }

    /** Lists every job that has a directory now. */
    List<JobDirectory> list() {
        if (roots.isEmpty() || olderThan(SEARCH_EVERY)) {
            search();
        }
        boolean all = listings++ % LIST_ALL_EVERY == 0;
        List<String> listed = new ArrayList<>();
        for (Root root : roots) {
            // a job has directories of the same name in all hierarchies, and listing them costs more than reading them
            boolean first = !listed.contains(root.name);
            if (all || first) {
                listed.add(root.name);
                list(root, first);
            }
        }
        for (Iterator<JobDirectory> each = jobs.values().iterator(); each.hasNext(); ) {
            JobDirectory job = each.next();
            boolean stands = job.listedIn == listings || (job.elsewhere && job.stands());
            if (!stands) {
                job.close();
                each.remove();
            }
        }
        return List.copyOf(jobs.values());
    }

    private void list(Root root, boolean first) {
        if (root.scope) {
            for (String child : children(root.path)) {
                if (jobs.containsKey(child) || isJob(root.path.resolve(child))) {
                    found(root, first, child, OptionalInt.empty(), child);
                }
            }
            return;
        }
        for (String user : children(root.path)) {
            OptionalInt uid = CgroupPath.uidIn(user);
            if (uid.isPresent()) {
                for (String child : children(root.path.resolve(user))) {
                    if (CgroupPath.jobIdIn(child).isPresent()) {
                        found(root, first, child, uid, user + "/" + child);
                    }
                }
            }
        }
    }

    private void found(Root root, boolean first, String name, OptionalInt uid, String below) {
        JobDirectory job = jobs.get(name);
        if (job == null) {
            job = new JobDirectory(name, uid, listings, jobs.size() < MOST_KEPT_OPEN);
            jobs.put(name, job);
        }
        job.elsewhere = !first && (job.elsewhere || job.listedIn != listings);
        job.listedIn = listings;
        for (String controller : root.controllers) {
            if (!job.paths.containsKey(controller)) {
                job.add(controller, root.path.resolve(below));
            }
        }
        if (listings - job.firstListedIn < 2) { // slurmstepd makes one after the other
            for (Root other : roots) {
                Path path = other.path.resolve(below);
                if (other.name.equals(root.name) && Files.isDirectory(path)) {
                    for (String controller : other.controllers) {
                        job.add(controller, path);
                    }
                }
            }
        }
    }

    /** Whether Slurm's own directories stand anywhere. */
    boolean anyRoot() {
        return !roots.isEmpty();
    }

    /** Searches for Slurm's directories again, because a job was seen that is in none of those that are known. */
    void searchAgain() {
        search();
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

    private boolean olderThan(Duration age) {
        return searchedAt == null || nanoTime.getAsLong() - searchedAt > age.toNanos();
    }

    private void search() {
        if (!olderThan(SEARCH_AT_MOST_EVERY)) {
            return;
        }
        searchedAt = nanoTime.getAsLong();
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
                found.add(new Root(hierarchy.mount.relativize(child).toString(), child, hierarchy.controllers, scope));
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
