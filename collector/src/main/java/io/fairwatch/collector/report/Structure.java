package io.fairwatch.collector.report;

import io.fairwatch.collector.run.Account;
import io.fairwatch.collector.run.AccountTree;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Which department and faculty an account belongs to, and what lies below it: by the site's configuration first, then by
 * Slurm's tree of accounts as far as the site says what its levels are, then by the account's name. Immutable once made.
 */
final class Structure {
    private final ReportSettings settings;
    private final Map<String, List<String>> above = new HashMap<>();
    private final Map<String, List<String>> children = new HashMap<>();
    private final List<String> roots = new ArrayList<>();

    Structure(ReportSettings settings, Optional<AccountTree> tree) {
        this.settings = settings;
        tree.ifPresent(known -> known.accounts().forEach(account -> {
            // root itself is nobody's department
            List<String> path = known.above(account.name()).stream()
                    .filter(one -> one.parent().isPresent())
                    .map(Account::name)
                    .toList();
            above.put(account.name(), path);
            if (path.size() == 1) {
                roots.add(account.name());
            }
            account.parent().ifPresent(parent -> children.computeIfAbsent(parent, name -> new ArrayList<>())
                    .add(account.name()));
        }));
        Collections.sort(roots);
        children.values().forEach(Collections::sort);
    }

    /** Whether Slurm told of its accounts. */
    boolean hasTree() {
        return !roots.isEmpty();
    }

    /** The accounts right below Slurm's root, by name. */
    List<String> roots() {
        return roots;
    }

    /** The accounts right below one, by name. */
    List<String> children(String account) {
        return children.getOrDefault(account, List.of());
    }

    /** The account and all below it. */
    Set<String> below(String account) {
        Set<String> names = new LinkedHashSet<>(List.of(account));
        List<String> left = new ArrayList<>(List.of(account));
        while (!left.isEmpty()) {
            for (String child : children(left.remove(left.size() - 1))) {
                if (names.add(child)) {
                    left.add(child);
                }
            }
        }
        return names;
    }

    /** The account and those above it, nearest first; the account alone where Slurm's tree does not know it. */
    private List<String> path(String account) {
        List<String> path = above.getOrDefault(account, List.of());
        return path.isEmpty() ? List.of(account) : path;
    }

    String department(String account) {
        for (String name : path(account)) {
            Optional<String> configured = settings.configuredDepartment(name);
            if (configured.isPresent()) {
                return configured.get();
            }
        }
        return switch (settings.tree()) {
            case NONE -> settings.department(account);
            case DEPARTMENTS -> level(account, 1).orElseGet(() -> settings.department(account));
            case FACULTIES -> level(account, 2).orElseGet(() -> settings.department(account));
        };
    }

    /** Absent where neither configuration nor tree names one. */
    Optional<String> faculty(String account) {
        Optional<String> configured = settings.faculty(department(account));
        for (String name : path(account)) {
            configured = configured.or(() -> settings.faculty(name));
        }
        return configured.or(
                () -> settings.tree() == ReportSettings.Tree.FACULTIES ? level(account, 1) : Optional.empty());
    }

    boolean hasFaculties() {
        return !settings.faculties().isEmpty() || (settings.tree() == ReportSettings.Tree.FACULTIES && hasTree());
    }

    /** The account at a level below the root, or the account itself where it lies higher; absent where the tree does not
     * know it. */
    private Optional<String> level(String account, int level) {
        List<String> path = above.getOrDefault(account, List.of());
        return path.isEmpty() ? Optional.empty() : Optional.of(path.get(Math.max(0, path.size() - level)));
    }
}
