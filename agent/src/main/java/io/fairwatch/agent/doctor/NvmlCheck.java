package io.fairwatch.agent.doctor;

import io.fairwatch.agent.probe.Probe.NothingToReadException;
import io.fairwatch.agent.probe.Probe.ProbeException;
import io.fairwatch.agent.probe.nvml.NvmlInspection;
import io.fairwatch.agent.probe.nvml.NvmlInspection.Answer;
import io.fairwatch.agent.probe.nvml.NvmlInspection.Device;
import io.fairwatch.agent.probe.nvml.NvmlInspection.Outcome;
import io.fairwatch.agent.probe.nvml.NvmlInspection.Silent;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** What NVML tells of each GPU, what it does not, and why. */
record NvmlCheck(Node node, Inspection inspection) implements Check {
    /** Asks NVML. */
    interface Inspection {
        NvmlInspection inspect() throws ProbeException;
    }

    @Override
    public String name() {
        return "nvml";
    }

    @Override
    public List<Finding> look() {
        NvmlInspection told;
        try {
            told = inspection.inspect();
        } catch (NothingToReadException e) {
            return List.of(
                    node.text("proc/driver/nvidia/version").isEmpty()
                            ? Finding.fine(name(), "nothing to read: " + e.getMessage())
                            : Finding.error(
                                    name(),
                                    "the driver is loaded, but its library is not found: " + e.getMessage(),
                                    "install libnvidia-ml.so.1 of the driver's version, or set nvml.library in"
                                            + " agent.yml"));
        } catch (ProbeException e) {
            return List.of(
                    Finding.error(
                            name(),
                            String.valueOf(e.getMessage()),
                            "nvidia-smi should fail likewise; a driver that was upgraded without a reboot is the usual reason"));
        }
        List<Finding> findings = new ArrayList<>();
        List<Device> whole = told.devices().stream()
                .filter(device -> device.device().mig().isEmpty())
                .toList();
        findings.add(Finding.fine(
                name(),
                "driver " + told.driverVersion() + " answers for " + gpus(whole.size())
                        + told.cudaVersion()
                                .map(version -> ", runs CUDA up to " + version)
                                .orElse("")));
        told.simulated()
                .ifPresent(sentence -> findings.add(
                        Finding.warning(name(), sentence, "take nvml.library out of agent.yml on a real node")));
        for (Silent silent : told.silent()) {
            findings.add(Finding.error(
                    name(),
                    "GPU " + silent.index() + " does not answer: " + silent.why(),
                    "dmesg | grep -i -e nvrm -e xid; it is not measured"));
        }
        long known = node.list("proc/driver/nvidia/gpus").size();
        if (whole.size() + told.silent().size() < known) {
            findings.add(Finding.error(
                    name(),
                    "the driver has " + gpus(known) + ", NVML answers for " + whole.size(),
                    "a GPU is lost: dmesg | grep -i -e nvrm -e xid; it is not measured"));
        }
        grouped(told, answer -> answer.outcome() != Outcome.WORKS && !isWrong(answer))
                .forEach((absent, which) -> findings.add(Finding.fine(
                        name(), which + ": " + (absent.isEmpty() ? "tells everything" : "does not tell " + absent))));
        grouped(told, NvmlCheck::isWrong).forEach((wrong, which) -> {
            if (!wrong.isEmpty()) {
                findings.add(Finding.warning(
                        name(),
                        which + ": should tell but does not: " + wrong,
                        "those readings are absent; dmesg | grep -i -e nvrm -e xid may say why"));
            }
        });
        return findings;
    }

    private static String gpus(long count) {
        return count + (count == 1 ? " GPU" : " GPUs");
    }

    private static boolean isWrong(Answer answer) {
        return answer.outcome() == Outcome.NO_PERMISSION || answer.outcome() == Outcome.FAILED;
    }

    /** What devices have to say of those answers, e.g. {@code fan speed (not supported)}, and which: {@code GPU 0 1}. */
    private static Map<String, String> grouped(NvmlInspection told, Predicate<Answer> concerned) {
        Map<String, Map<String, Set<String>>> indexes = new LinkedHashMap<>();
        for (Device device : told.devices()) {
            String said = device.answers().stream()
                    .filter(concerned)
                    .map(answer -> answer.reading() + " (" + reason(answer) + ")")
                    .collect(Collectors.joining(", "));
            indexes.computeIfAbsent(said, first -> new LinkedHashMap<>())
                    .computeIfAbsent(
                            device.device().mig().isPresent() ? "MIG instances of GPU " : "GPU ",
                            first -> new LinkedHashSet<>())
                    .add(Integer.toString(device.device().index()));
        }
        Map<String, String> devices = new LinkedHashMap<>();
        indexes.forEach((said, kinds) -> devices.put(
                said,
                kinds.entrySet().stream()
                        .map(kind -> kind.getKey() + String.join(" ", kind.getValue()))
                        .collect(Collectors.joining(", "))));
        return devices;
    }

    private static String reason(Answer answer) {
        return switch (answer.outcome()) {
            case WORKS -> "works";
            case NOT_SUPPORTED -> "not supported";
            case MISSING_FUNCTION -> "not in this driver";
            case NO_PERMISSION, FAILED -> answer.why();
        };
    }
}
