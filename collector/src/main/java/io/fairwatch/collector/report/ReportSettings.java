package io.fairwatch.collector.report;

import java.time.Duration;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * What a site decides about its reports. Immutable.
 *
 * @param calendar its semesters
 * @param faculties departments of each faculty; empty: none are shown
 * @param departments accounts of each department, {@code *} stands for any text, those below them in Slurm's tree
 *     included; an account in none of them belongs to the department that {@code tree} says, or is named by its text
 *     before the first dot
 * @param tree what the levels of Slurm's tree of accounts are
 * @param nodeGroups nodes of each group, {@code *} stands for any text; a node in none of them belongs to the group named
 *     by its name without the digits at its end
 * @param people how people appear
 * @param co2GramsPerKwh what a kWh weighs in CO2; absent: not told
 * @param co2Source where that figure is from; empty if not told
 * @param smallQos the QoS for those who run nothing
 * @param untouched scratch directories untouched for so long are offered for clearing
 * @param busyAboveRatio a reading above this counts as busy
 */
public record ReportSettings(
        SemesterCalendar calendar,
        Map<String, List<String>> faculties,
        Map<String, List<String>> departments,
        Tree tree,
        Map<String, List<String>> nodeGroups,
        People people,
        OptionalDouble co2GramsPerKwh,
        String co2Source,
        String smallQos,
        Duration untouched,
        double busyAboveRatio) {

    /** How people appear in a report. */
    public enum People {
        /** By login name. */
        NAMES,
        /** As {@code Person 1} and so on, alike throughout one report. */
        PSEUDONYMS,
        /** Not at all. */
        NONE
    }

    /** What the levels of Slurm's tree of accounts are. */
    public enum Tree {
        /** Nothing in particular. */
        NONE,
        /** Accounts right below the root are departments. */
        DEPARTMENTS,
        /** Accounts right below the root are faculties, those below them departments. */
        FACULTIES
    }

    public static final ReportSettings DEFAULTS = new ReportSettings(
            SemesterCalendar.AALBORG,
            Map.of(),
            Map.of(),
            Tree.NONE,
            Map.of(),
            People.NAMES,
            OptionalDouble.empty(),
            "",
            "1cpu",
            Duration.ofDays(90),
            0.01);

    public ReportSettings {
        faculties = copy(faculties);
        departments = copy(departments);
        nodeGroups = copy(nodeGroups);
    }

    private static Map<String, List<String>> copy(Map<String, List<String>> map) {
        Map<String, List<String>> copy = new LinkedHashMap<>();
        map.forEach((name, members) -> copy.put(name, List.copyOf(members)));
        return Collections.unmodifiableMap(copy);
    }

    ReportSettings with(People other) {
        return new ReportSettings(
                calendar,
                faculties,
                departments,
                tree,
                nodeGroups,
                other,
                co2GramsPerKwh,
                co2Source,
                smallQos,
                untouched,
                busyAboveRatio);
    }

    /** The department that the configuration names for an account. */
    Optional<String> configuredDepartment(String account) {
        return member(departments, account);
    }

    /** The department of an account by configuration or name. */
    String department(String account) {
        return configuredDepartment(account).orElseGet(() -> account.replaceFirst("\\..*", ""));
    }

    /** The faculty of a department; absent where none is configured for it. */
    Optional<String> faculty(String department) {
        return member(faculties, department);
    }

    /** The group of a node. */
    String nodeGroup(String node) {
        return member(nodeGroups, node).orElseGet(() -> {
            String name = node.replaceFirst("\\..*", "");
            String group = name.replaceFirst("[-_]?\\d+$", "");
            return group.isEmpty() ? name : group;
        });
    }

    private static Optional<String> member(Map<String, List<String>> groups, String name) {
        return groups.entrySet().stream()
                .filter(group -> group.getValue().stream().anyMatch(pattern -> matches(pattern, name)))
                .map(Map.Entry::getKey)
                .findFirst();
    }

    private static boolean matches(String pattern, String name) {
        String regex =
                Arrays.stream(pattern.split("\\*", -1)).map(Pattern::quote).collect(Collectors.joining(".*"));
        return name.matches(regex);
    }
}
