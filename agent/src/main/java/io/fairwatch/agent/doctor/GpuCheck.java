package io.fairwatch.agent.doctor;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The NVIDIA driver, its GPUs and in which order they are counted, as {@code /proc/driver/nvidia} says; NVML counts by
 * PCI bus id.
 */
record GpuCheck(Node node, boolean enabled) implements Check {
    private static final String DRIVER = "proc/driver/nvidia";

    private record Card(String busId, String model, OptionalInt minor) {}

    @Override
    public String name() {
        return "gpus";
    }

    @Override
    public List<Finding> look() {
        if (!enabled) {
            return List.of(Finding.fine(name(), "switched off by nvml.enabled"));
        }
        long onBus =
                node.list("sys/bus/pci/devices").stream().filter(this::isGpu).count();
        if (node.text(DRIVER + "/version").isEmpty()) {
            return List.of(
                    onBus == 0
                            ? Finding.fine(name(), "no NVIDIA GPU in this node: nothing to read")
                            : Finding.error(
                                    name(),
                                    onBus + " NVIDIA GPUs on the PCI bus, but the driver is not loaded",
                                    "install or load it: modprobe nvidia; dmesg tells why it fails"));
        }
        List<Card> cards = cards();
        List<Finding> findings = new ArrayList<>();
        findings.add(Finding.fine(
                name(),
                "driver " + version() + ", " + cards.size() + " x "
                        + (cards.isEmpty() ? "GPU" : cards.get(0).model())));
        if (onBus > cards.size()) {
            findings.add(Finding.error(
                    name(),
                    "the PCI bus has " + onBus + " NVIDIA GPUs, the driver " + cards.size(),
                    "one fell off the bus or failed to start: dmesg | grep -i -e nvrm -e xid; it is not measured"));
        }
        findings.add(order(cards));
        boolean persistenced = node.processes().stream()
                .anyMatch(process -> process.name().startsWith("nvidia-persiste")); // the kernel cuts it there
        findings.add(
                persistenced
                        ? Finding.fine(name(), "nvidia-persistenced runs, so idle GPUs stay initialised")
                        : Finding.warning(
                                name(),
                                "nvidia-persistenced does not run; without it the driver may take seconds to answer,"
                                        + " and energy counters restart",
                                "systemctl enable --now nvidia-persistenced, or nvidia-smi -pm 1"));
        return findings;
    }

    private Finding order(List<Card> cards) {
        boolean same = true;
        List<String> table = new ArrayList<>();
        for (int index = 0; index < cards.size(); index++) {
            OptionalInt minor = cards.get(index).minor();
            same &= minor.isPresent() && minor.getAsInt() == index;
            table.add(index + "=" + (minor.isPresent() ? "/dev/nvidia" + minor.getAsInt() : "?"));
        }
        return same
                ? Finding.fine(name(), "PCI order, NVML's index and /dev/nvidiaN agree")
                : Finding.warning(
                        name(),
                        "NVML's index goes by PCI bus id and differs from /dev/nvidiaN: " + String.join(" ", table),
                        "nothing for Fairwatch, which goes by UUID. But Slurm's IDX is the i-th File= where gres.conf"
                                + " lists files, and PCI order with AutoDetect=nvml: nvidia-smi -i N is another GPU than"
                                + " Slurm's N with File=/dev/nvidia[0-" + (cards.size() - 1) + "]");
    }

    /** In order of PCI bus id, which is how the directories are named: {@code 0000:3b:00.0}. */
    private List<Card> cards() {
        List<Card> cards = new ArrayList<>();
        for (String busId : node.list(DRIVER + "/gpus")) {
            Map<String, String> fields = node.fields(DRIVER + "/gpus/" + busId + "/information");
            String minor = fields.getOrDefault("Device Minor", "");
            cards.add(new Card(
                    busId,
                    fields.getOrDefault("Model", "GPU"),
                    minor.matches("\\d{1,4}") ? OptionalInt.of(Integer.parseInt(minor)) : OptionalInt.empty()));
        }
        return cards;
    }

    /** {@code NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.161.08  Sat Feb 24 ...}. */
    private String version() {
        String text = node.text(DRIVER + "/version").orElse("");
        Matcher matcher = Pattern.compile("\\b(\\d{3}\\.\\d+(?:\\.\\d+)?)\\b").matcher(text);
        return matcher.find() ? matcher.group(1) : "of unknown version";
    }

    private boolean isGpu(String device) {
        String path = "sys/bus/pci/devices/" + device;
        String type = node.text(path + "/class").orElse("").strip();
        return node.text(path + "/vendor").orElse("").strip().equals("0x10de")
                && (type.startsWith("0x0300") || type.startsWith("0x0302"));
    }
}
