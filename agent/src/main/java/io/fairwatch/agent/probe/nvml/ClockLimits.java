package io.fairwatch.agent.probe.nvml;

import java.util.ArrayList;
import java.util.List;

/** Names for the bits in which NVML says what holds clocks down. */
final class ClockLimits {
    /** By bit. Source: the constants {@code nvmlClocksEventReason...} of NVML, without it. */
    private static final List<String> NAMES = List.of(
            "gpu_idle",
            "applications_clocks_setting",
            "sw_power_cap",
            "hw_slowdown",
            "sync_boost",
            "sw_thermal_slowdown",
            "hw_thermal_slowdown",
            "hw_power_brake_slowdown",
            "display_clock_setting");

    private ClockLimits() {}

    /** The names of the bits that are set, lowest first; bits that later drivers added are told by number. */
    static List<String> names(long bits) {
        List<String> names = new ArrayList<>();
        for (int bit = 0; bit < Long.SIZE; bit++) {
            if ((bits >>> bit & 1) == 1) {
                names.add(bit < NAMES.size() ? NAMES.get(bit) : "bit_" + bit);
            }
        }
        return names;
    }
}
