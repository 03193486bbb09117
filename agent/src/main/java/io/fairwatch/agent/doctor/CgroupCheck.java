package io.fairwatch.agent.doctor;

import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Which cgroups there are, where Slurm's are in them, and what they can tell of a job. */
record CgroupCheck(Node node) implements Check {
    private static final String ROOT = "sys/fs/cgroup";
    private static final int DEEPEST = 6;
    private static final Pattern SCOPE = Pattern.compile("(?:(.+)_)?slurmstepd\\.scope");
    private static final Pattern SLURM = Pattern.compile("slurm(?:_(.+))?");
    private static final Pattern JOB = Pattern.compile("job_\\d+");
    private static final Pattern SLUID = Pattern.compile("[sS][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{13}");

    /** A directory of Slurm's. */
    private record Tree(String path, boolean v2, String nodeName) {}

    @Override
    public String name() {
        return "cgroups";
    }

    @Override
    public List<Finding> look() {
        boolean v2 = node.text(ROOT + "/cgroup.controllers").isPresent();
        List<String> v1 = v2
                ? List.of()
                : node.list(ROOT).stream()
                        .filter(name ->
                                node.text(ROOT + "/" + name + "/cgroup.procs").isPresent()
                                        && node.text(ROOT + "/" + name + "/cgroup.controllers")
                                                .isEmpty())
                        .toList();
        boolean hybrid = !v2
                && node.list(ROOT).stream().anyMatch(name -> node.text(ROOT + "/" + name + "/cgroup.controllers")
                        .isPresent());
        if (!v2 && v1.isEmpty()) {
            return List.of(Finding.error(
                    name(),
                    "no cgroups are mounted below /sys/fs/cgroup",
                    "mount them, as systemd does; without them jobs are found by their slurmstepd only"));
        }
        String mode = v2 ? "version 2" : (hybrid ? "hybrid, version 1 for " : "version 1: ") + String.join(" ", v1);
        List<Tree> trees = trees(node);
        if (trees.isEmpty()) {
            return List.of(
                    node.processes().stream().anyMatch(process -> process.name().equals("slurmd"))
                            ? Finding.warning(
                                    name(),
                                    mode + "; slurmd runs, but no directory of Slurm's stands",
                                    "normal until the first job since boot; else set ProctrackType=proctrack/cgroup in"
                                            + " slurm.conf")
                            : Finding.fine(name(), mode + "; no directory of Slurm's stands, and no slurmd runs"));
        }
        List<Finding> findings = new ArrayList<>();
        Set<String> jobs = new TreeSet<>();
        boolean sluid = false;
        for (Tree tree : trees) {
            for (String job : jobsIn(tree)) {
                jobs.add(job);
                sluid |= SLUID.matcher(job).matches();
            }
        }
        findings.add(Finding.fine(
                name(),
                mode + "; Slurm is in "
                        + String.join(
                                ", ",
                                trees.stream().map(tree -> "/" + tree.path).toList()) + "; "
                        + jobs.size() + (jobs.size() == 1 ? " job stands" : " jobs stand")
                        + (sluid ? ", named by SLUID (Slurm 26.05 or later): ids are asked of slurmstepd" : "")));
        missing(trees)
                .ifPresentOrElse(
                        what -> findings.add(Finding.warning(
                                name(),
                                "Slurm's tree lacks " + what + ", so this is not known of a job as a whole",
                                "set ConstrainRAMSpace=yes (memory) and JobAcctGatherType=jobacct_gather/cgroup (CPU"
                                        + " time) in Slurm, and restart slurmd")),
                        () -> {});
        return findings;
    }

    /** Which of memory and CPU time the trees do not account for. */
    private Optional<String> missing(List<Tree> trees) {
        Set<String> controllers = new TreeSet<>();
        for (Tree tree : trees) {
            if (tree.v2) {
                controllers.addAll(List.of(node.text(tree.path + "/cgroup.controllers")
                        .orElse("")
                        .strip()
                        .split(" ", -1)));
                controllers.add("cpu"); // cpu.stat tells the time in every cgroup, with and without the controller
            } else {
                String hierarchy = tree.path.substring(ROOT.length() + 1).split("/", 2)[0];
                controllers.addAll(List.of(hierarchy.split(",", -1)));
            }
        }
        List<String> missing = new ArrayList<>();
        if (!controllers.contains("memory")) {
            missing.add("memory");
        }
        if (!controllers.contains("cpu") && !controllers.contains("cpuacct")) {
            missing.add("CPU time");
        }
        return missing.isEmpty() ? Optional.empty() : Optional.of(String.join(" and ", missing));
    }

    private List<String> jobsIn(Tree tree) {
        if (tree.v2) {
            return node.list(tree.path).stream()
                    .filter(name ->
                            JOB.matcher(name).matches() || SLUID.matcher(name).matches())
                    .toList();
        }
        return node.list(tree.path).stream()
                .filter(name -> name.startsWith("uid_"))
                .flatMap(uid -> node.list(tree.path + "/" + uid).stream())
                .filter(name -> JOB.matcher(name).matches())
                .toList();
    }

    /** Names of nodes that Slurm put into the names of its directories; slurmd can be built to do so. */
    static Set<String> nodeNames(Node node) {
        Set<String> names = new TreeSet<>();
        trees(node).stream().map(Tree::nodeName).filter(name -> !name.isEmpty()).forEach(names::add);
        return names;
    }

    private static List<Tree> trees(Node node) {
        List<Tree> found = new ArrayList<>();
        search(node, ROOT, 0, found);
        return found;
    }

    private static void search(Node node, String directory, int depth, List<Tree> found) {
        for (String name : node.list(directory)) {
            String path = directory + "/" + name;
            Matcher scope = SCOPE.matcher(name);
            Matcher slurm = SLURM.matcher(name);
            // cpuacct, for one, is a link that leads to cpu,cpuacct
            if (!Files.isDirectory(node.path(path), LinkOption.NOFOLLOW_LINKS)) {
                continue;
            }
            if (scope.matches()) {
                found.add(new Tree(path, true, scope.group(1) == null ? "" : scope.group(1)));
            } else if (slurm.matches()) {
                found.add(new Tree(path, false, slurm.group(1) == null ? "" : slurm.group(1)));
            } else if (depth < DEEPEST
                    && !name.equals("user.slice")
                    && !name.endsWith(".service")
                    && !name.endsWith(".scope")) {
                search(node, path, depth + 1, found);
            }
        }
    }
}
