package io.fairwatch.collector.report;

import io.fairwatch.agent.wire.ScratchUse;
import io.fairwatch.agent.wire.ScratchUse.Directories;
import io.fairwatch.agent.wire.ScratchUse.DirectoryUse;
import io.fairwatch.agent.wire.ScratchUse.Owner;
import io.fairwatch.collector.report.Cell.Kind;
import io.fairwatch.collector.report.Chart.Part;
import io.fairwatch.collector.report.Chart.Tone;
import io.fairwatch.collector.report.Sheet.Column;
import io.fairwatch.collector.store.NodeState;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;

/** What is kept on scratch by the newest counts, and what of it could go. Stateless. */
final class Scratch {
    /** A directory that could go, and why. */
    record Old(
            String node,
            String path,
            Optional<String> user,
            OptionalInt uid,
            long bytes,
            Optional<Instant> lastWrite,
            boolean ownerGone) {}

    private record Mount(String node, ScratchUse use) {
        Instant counted() {
            return use.directories().map(Directories::at).orElse(Instant.MIN);
        }
    }

    private Scratch() {}

    /** Mounts with what is on them, each once: nodes share a CephFS, and each of them may count it. */
    private static List<Mount> mounts(Basis basis) {
        List<Mount> mounts = new ArrayList<>();
        Map<String, Mount> shared = new TreeMap<>();
        for (NodeState node : basis.nodes()) {
            for (ScratchUse use : node.scratch()) {
                Mount mount = new Mount(node.node(), use);
                mounts.add(mount);
                if (use.directories()
                        .filter(count -> count.method().equals("ceph"))
                        .isPresent()) {
                    shared.merge(use.mount(), mount, (a, b) -> b.counted().isAfter(a.counted()) ? b : a);
                }
            }
        }
        // a disk of a node's own may lie at the same path
        mounts.removeIf(mount -> shared.containsKey(mount.use().mount())
                && mount.use()
                        .directories()
                        .filter(count -> !count.method().equals("ceph"))
                        .isEmpty());
        mounts.addAll(shared.values());
        return mounts;
    }

    static List<Old> old(Basis basis) {
        List<Old> old = new ArrayList<>();
        for (Mount on : mounts(basis)) {
            ScratchUse mount = on.use();
            mount.directories().ifPresent(count -> count.list().stream()
                    .filter(use -> isOld(basis, use, count.at()) || use.ownerIs() == Owner.GONE)
                    .forEach(use -> old.add(new Old(
                            on.node(),
                            mount.mount().replaceFirst("/+$", "") + "/" + use.name(),
                            use.owner(),
                            use.uid(),
                            use.usedBytes(),
                            use.lastWrite(),
                            use.ownerIs() == Owner.GONE))));
        }
        old.sort(Comparator.comparingLong(Old::bytes)
                .reversed()
                .thenComparing(Old::node)
                .thenComparing(Old::path));
        return old;
    }

    private static boolean isOld(Basis basis, DirectoryUse use, Instant counted) {
        return use.lastWrite().isPresent()
                && use.lastWrite().get().isBefore(counted.minus(basis.settings().untouched()));
    }

    static Section section(Basis basis) {
        Map<String, long[]> users = new TreeMap<>();
        long total = 0;
        long used = 0;
        long gone = 0;
        long untouched = 0;
        Optional<Instant> counted = Optional.empty();
        for (Mount on : mounts(basis)) {
            ScratchUse mount = on.use();
            total += mount.totalBytes();
            used += mount.usedBytes();
            if (mount.directories().isPresent()) {
                Instant at = mount.directories().get().at();
                counted = counted.filter(known -> known.isBefore(at)).or(() -> Optional.of(at));
                for (DirectoryUse use : mount.directories().get().list()) {
                    String owner = use.owner().orElse("");
                    long[] row = users.computeIfAbsent(owner, name -> new long[3]);
                    row[0]++;
                    row[1] += use.usedBytes();
                    if (isOld(basis, use, at)) {
                        row[2] += use.usedBytes();
                        untouched += use.usedBytes();
                    }
                    if (use.ownerIs() == Owner.GONE) {
                        gone += use.usedBytes();
                    }
                }
            }
        }
        List<List<Cell>> rows = users.entrySet().stream()
                .sorted(Comparator.comparingLong((Map.Entry<String, long[]> entry) -> entry.getValue()[1])
                        .reversed()
                        .thenComparing(Map.Entry::getKey))
                .map(entry -> List.of(
                        entry.getKey().isEmpty()
                                ? Cell.word("nobody-known")
                                : basis.people().shown() ? basis.people().cell(entry.getKey()) : Cell.word("somebody"),
                        Cell.count(entry.getValue()[0]),
                        Cell.bytes(entry.getValue()[1]),
                        Cell.bytes(entry.getValue()[2])))
                .toList();
        List<Say> says = new ArrayList<>();
        if (counted.isEmpty()) {
            says.add(Say.of("scratch.none"));
        } else {
            says.add(Say.of(
                    "scratch.says",
                    Cell.bytes(used),
                    Cell.bytes(total),
                    Cell.bytes(untouched),
                    Cell.count(basis.settings().untouched().toDays()),
                    Cell.bytes(gone)));
        }
        return new Section(
                "scratch",
                says,
                new Sheet(
                        "scratch",
                        List.of(
                                Column.of("user", Kind.TEXT),
                                Column.of("directories", Kind.COUNT),
                                Column.of("kept", Kind.BYTES),
                                Column.of("untouched", Kind.BYTES)),
                        rows),
                Optional.of(new Chart.Bars("user", List.of(new Part("kept", Tone.USED)), 15)),
                counted.map(at -> List.of(Say.of("scratch.note", Cell.time(at))))
                        .orElse(List.of()));
    }
}
