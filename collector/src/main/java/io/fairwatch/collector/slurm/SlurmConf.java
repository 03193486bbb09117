package io.fairwatch.collector.slurm;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What {@code scontrol show config} and {@code sacctmgr show configuration} tell of how Slurm is set up. Immutable.
 *
 * @param values by key; where a key comes twice, as slurmdbd's own {@code PrivateData} after the client's, the last
 */
record SlurmConf(Map<String, String> values) {
    SlurmConf {
        values = Map.copyOf(values);
    }

    /** Lines such as {@code ClusterName             = lab}; all others are passed over. */
    static SlurmConf parse(String text) {
        Map<String, String> values = new HashMap<>();
        for (String line : text.split("\n", -1)) {
            int equals = line.indexOf('=');
            if (equals > 0) {
                values.put(
                        line.substring(0, equals).strip(),
                        line.substring(equals + 1).strip());
            }
        }
        return new SlurmConf(values);
    }

    Optional<String> clusterName() {
        return Optional.ofNullable(values.get("ClusterName")).filter(name -> !name.isEmpty() && !name.equals("(null)"));
    }

    /** Whether Slurm keeps ended jobs and knows accounts; without, there is nothing to ask and that is no fault. */
    boolean hasAccounting() {
        String type = values.getOrDefault("AccountingStorageType", "accounting_storage/slurmdbd");
        return type.contains("slurmdbd");
    }

    /** What is hidden from other users, lower case: {@code jobs}, {@code accounts}, ...; empty: nothing. */
    Set<String> hidden() {
        return Arrays.stream(values.getOrDefault("PrivateData", "none")
                        .toLowerCase(Locale.ROOT)
                        .split(","))
                .map(String::strip)
                .filter(word -> !word.isEmpty() && !word.equals("none") && !word.equals("(null)"))
                .collect(Collectors.toUnmodifiableSet());
    }

    /** The user as whom slurmctld runs, who may see and do everything: {@code slurm(64030)}. */
    String slurmUser() {
        return values.getOrDefault("SlurmUser", "").replaceAll("\\(\\d+\\)$", "");
    }

    /**
     * Whether accounting counts GPUs, so that ended jobs that only it knows tell them. Where nothing is told of it, they are
     * believed.
     */
    boolean countsGpus() {
        String counted = values.get("AccountingStorageTRES");
        return counted == null
                || Arrays.stream(counted.split(","))
                        .anyMatch(name -> name.strip().startsWith("gres/gpu"));
    }
}
