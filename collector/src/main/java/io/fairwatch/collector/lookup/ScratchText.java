package io.fairwatch.collector.lookup;

import io.fairwatch.agent.wire.ScratchUse.Limit;
import io.fairwatch.collector.lookup.ScratchLookup.Keeping;
import io.fairwatch.collector.lookup.ScratchLookup.Kept;
import io.fairwatch.collector.text.Csv;
import io.fairwatch.collector.text.Plain;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;

/** Renders what people keep, in the columns that {@code dusage} has. Immutable. */
public final class ScratchText {
    private static final String YELLOW = "\033[33m";
    private static final String RED = "\033[1;31m";
    private static final double NEAR = 0.85;

    private final boolean colours;

    /**
     * @param colours whether the terminal shows them; what they say stands in a word too
     */
    public ScratchText(boolean colours) {
        this.colours = colours;
    }

    /**
     * A table.
     *
     * @param withNode whether there is a column for the node, as for scratch that each node has for itself
     */
    public String page(Keeping keeping, boolean withNode) {
        if (keeping.items().isEmpty()) {
            return "Nothing is counted there"
                    + (keeping.uncounted().isEmpty()
                            ? ".\n"
                            : " yet: " + Plain.line(String.join(", ", keeping.uncounted()), 300) + ".\n");
        }
        List<String> heading = new ArrayList<>(
                List.of("path", "space used", "quota (s)", "quota (h)", "files", "quota", "last write", ""));
        if (withNode) {
            heading.add(0, "node");
        }
        List<List<String>> rows = new ArrayList<>(List.of(heading));
        for (Kept kept : keeping.items()) {
            List<String> row = new ArrayList<>(List.of(
                    Plain.line(kept.path(), 80),
                    Plain.bytes(kept.usedBytes()),
                    bytes(kept.limit().map(Limit::softBytes)),
                    bytes(kept.limit().map(Limit::hardBytes)),
                    count(kept.files()),
                    count(kept.limit().map(ScratchText::files).orElse(OptionalLong.empty())),
                    kept.lastWrite().map(at -> at.toString().substring(0, 10)).orElse("-"),
                    remark(kept, keeping.at())));
            if (withNode) {
                row.add(0, Plain.line(kept.node(), 60));
            }
            rows.add(row);
        }
        int columns = heading.size();
        int[] widths = new int[columns];
        rows.forEach(row -> {
            for (int i = 0; i < columns; i++) {
                widths[i] = Math.max(widths[i], row.get(i).length());
            }
        });
        StringBuilder page = new StringBuilder();
        for (int r = 0; r < rows.size(); r++) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < columns; i++) {
                String cell = rows.get(r).get(i);
                String space = " ".repeat(widths[i] - cell.length());
                boolean left = i < (withNode ? 2 : 1) || i == columns - 1;
                line.append(i == 0 ? "" : "  ").append(left ? cell + space : space + cell);
            }
            page.append(coloured(
                            line.toString().stripTrailing(),
                            r == 0 ? 0 : share(keeping.items().get(r - 1))))
                    .append('\n');
        }
        keeping.next()
                .ifPresent(next -> page.append("And more, not shown: ask for fewer, or for the next ones by --after ")
                        .append(next)
                        .append('\n'));
        Instant oldest = keeping.items().stream()
                .map(Kept::countedAt)
                .min(Instant::compareTo)
                .orElse(keeping.at());
        return page.append("\nCounted ")
                .append(Plain.duration(Duration.between(oldest, keeping.at())))
                .append(" ago at the earliest, by ")
                .append(String.join(
                        ", ",
                        keeping.items().stream()
                                .map(Kept::method)
                                .distinct()
                                .sorted()
                                .toList()))
                .append(
                        keeping.uncounted().isEmpty()
                                ? ".\n"
                                : "; not counted yet: " + Plain.line(String.join(", ", keeping.uncounted()), 300)
                                        + ".\n")
                .toString();
    }

    /** A line for each. */
    public String csv(Keeping keeping) {
        Csv csv = new Csv(
                "node",
                "path",
                "user",
                "uid",
                "owner",
                "used_bytes",
                "soft_bytes",
                "hard_bytes",
                "files",
                "soft_files",
                "hard_files",
                "last_write",
                "counted_at",
                "method",
                "over_limit");
        for (Kept kept : keeping.items()) {
            csv.row(
                    kept.node(),
                    kept.path(),
                    kept.user().orElse(""),
                    number(kept.uid()),
                    kept.owner()
                            .map(owner -> owner.name().toLowerCase(Locale.ROOT))
                            .orElse(""),
                    Long.toString(kept.usedBytes()),
                    number(kept.limit().map(Limit::softBytes).orElse(OptionalLong.empty())),
                    number(kept.limit().map(Limit::hardBytes).orElse(OptionalLong.empty())),
                    number(kept.files()),
                    number(kept.limit().map(Limit::softFiles).orElse(OptionalLong.empty())),
                    number(kept.limit().map(Limit::hardFiles).orElse(OptionalLong.empty())),
                    kept.lastWrite().map(Instant::toString).orElse(""),
                    kept.countedAt().toString(),
                    kept.method(),
                    Boolean.toString(kept.isOverLimit()));
        }
        return csv.toString();
    }

    private static String remark(Kept kept, Instant at) {
        List<String> words = new ArrayList<>();
        if (kept.isOverLimit()) {
            words.add("over quota"
                    + kept.limit()
                            .flatMap(Limit::graceEnds)
                            .map(ends -> ends.isAfter(at)
                                    ? ", " + Plain.duration(Duration.between(at, ends)) + " left"
                                    : ", grace is over")
                            .orElse(""));
        } else if (share(kept) >= NEAR) {
            words.add("nearly full");
        }
        kept.owner().ifPresent(owner -> {
            switch (owner) {
                case GONE -> words.add("owner is gone");
                case KNOWN, NOT_ASKED -> {}
            }
        });
        return String.join(", ", words);
    }

    /** How much of the lowest limit is taken; 0 without any. */
    private static double share(Kept kept) {
        if (kept.limit().isEmpty()) {
            return 0;
        }
        Limit limit = kept.limit().get();
        return Math.max(
                share(OptionalLong.of(kept.usedBytes()), limit.softBytes(), limit.hardBytes()),
                share(kept.files(), limit.softFiles(), limit.hardFiles()));
    }

    private static double share(OptionalLong used, OptionalLong soft, OptionalLong hard) {
        OptionalLong most = soft.isPresent() ? soft : hard;
        return used.isEmpty() || most.isEmpty()
                ? 0
                : most.getAsLong() == 0 ? (used.getAsLong() > 0 ? 2 : 0) : used.getAsLong() / (double) most.getAsLong();
    }

    private String coloured(String line, double share) {
        return !colours || share < NEAR ? line : (share > 1 ? RED : YELLOW) + line + "\033[0m";
    }

    private static OptionalLong files(Limit limit) {
        return limit.softFiles().isPresent() ? limit.softFiles() : limit.hardFiles();
    }

    private static String bytes(Optional<OptionalLong> value) {
        OptionalLong bytes = value.orElse(OptionalLong.empty());
        return bytes.isPresent() ? Plain.bytes(bytes.getAsLong()) : "-";
    }

    /** {@code 37 508}. */
    private static String count(OptionalLong value) {
        return value.isPresent()
                ? String.format(Locale.ROOT, "%,d", value.getAsLong()).replace(',', ' ')
                : "-";
    }

    private static String number(OptionalLong value) {
        return value.isPresent() ? Long.toString(value.getAsLong()) : "";
    }
}
