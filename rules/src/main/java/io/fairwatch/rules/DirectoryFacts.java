package io.fairwatch.rules;

import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/** One directory at the top of a scratch mount. In a rule every component is a fact of {@code directory}. Immutable.
 *
 * @param node whose scratch it is
 * @param path the directory
 * @param owner login name. Absent: withheld, or the directory service knows none
 * @param ownerGone whether the directory service answered that there is no such user. Absent: it was not asked
 * @param usedBytes space taken; bytes
 * @param files files and directories below it
 * @param untouchedSeconds since the newest write below it; seconds. Absent: empty, or not told by the way it was counted
 * @param shareRatio space taken as share of the mount's size; ratio 0..1
 * @param mountUsedRatio how full the mount is; ratio 0..1
 * @param limitRatio space taken as share of its quota; may exceed 1. Absent: no quota
 * @param countedSeconds age of the count; seconds */
public record DirectoryFacts(
        String node,
        String path,
        Optional<String> owner,
        Optional<Boolean> ownerGone,
        long usedBytes,
        long files,
        OptionalLong untouchedSeconds,
        double shareRatio,
        double mountUsedRatio,
        OptionalDouble limitRatio,
        long countedSeconds) {
    /** Checks the ranges. */
    public DirectoryFacts {
        Objects.requireNonNull(node, "node");
        Objects.requireNonNull(path, "path");
        Objects.requireNonNull(owner, "owner");
        Objects.requireNonNull(ownerGone, "ownerGone");
        Facts.notNegative("usedBytes", usedBytes);
        Facts.notNegative("files", files);
        untouchedSeconds.ifPresent(value -> Facts.notNegative("untouchedSeconds", value));
        Facts.ratio("shareRatio", shareRatio);
        Facts.ratio("mountUsedRatio", mountUsedRatio);
        limitRatio.ifPresent(value -> Facts.notNegative("limitRatio", value));
        Facts.notNegative("countedSeconds", countedSeconds);
    }
}
