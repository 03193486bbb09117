package io.fairwatch.collector.run;

import java.util.Arrays;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/** Whether a node may give what it has, by Slurm's words for its state. */
public enum NodeService {
    /** Jobs can run there. */
    IN_SERVICE,
    /** Jobs run there to their end, and no others may begin. */
    DRAINING,
    /** Taken out of service by somebody, and empty. */
    DRAINED,
    /** Down, failed, or silent. */
    DOWN,
    /** Out of service as announced: maintenance or a reboot. */
    PLANNED,
    /** Switched off to save power or money; Slurm starts it when it is wanted. */
    POWERED_OFF,
    /** Slurm's words say nothing of it. */
    UNKNOWN;

    private static final Set<String> DOWN_WORDS = Set.of(
            "down", "fail", "failing", "error", "boot_fail", "not_responding", "no_respond", "future", "unknown");
    private static final Set<String> OFF_WORDS =
            Set.of("powered_down", "powering_down", "power_down", "power_saving", "powering_up", "powered_off");
    private static final Set<String> BUSY_WORDS = Set.of("allocated", "alloc", "mixed", "mix", "completing", "comp");

    /** Reads Slurm's words, joined by {@code +}, e.g. {@code mixed+drain}. The worst of them counts. */
    public static NodeService of(String state) {
        Set<String> words = Arrays.stream(state.toLowerCase(Locale.ROOT).split("[+ ,]"))
                .map(word -> word.replaceAll("[*~#!%$@^-]+$", "")) // signs that sinfo's text adds
                .filter(word -> !word.isEmpty())
                .collect(Collectors.toSet());
        if (words.isEmpty()) {
            return UNKNOWN;
        }
        if (words.stream().anyMatch(word -> word.equals("maint") || word.startsWith("reboot"))) {
            return PLANNED;
        }
        if (words.stream().anyMatch(OFF_WORDS::contains)) {
            return POWERED_OFF;
        }
        if (words.stream().anyMatch(DOWN_WORDS::contains)) {
            return DOWN;
        }
        if (words.contains("drained")) {
            return DRAINED;
        }
        if (words.contains("draining")) {
            return DRAINING;
        }
        if (words.contains("drain")) {
            return words.stream().anyMatch(BUSY_WORDS::contains) ? DRAINING : DRAINED;
        }
        return IN_SERVICE;
    }
}
