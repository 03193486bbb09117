package io.fairwatch.agent.doctor;

import io.fairwatch.agent.probe.Probe;
import io.fairwatch.agent.probe.Probe.NothingToReadException;
import io.fairwatch.agent.probe.Probe.ProbeException;
import io.fairwatch.agent.probe.nvml.GpuReadings;
import io.fairwatch.agent.wire.GpuReading;
import java.lang.reflect.RecordComponent;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * What NVML tells of each GPU, and what it does not; by the probe that the agent itself uses.
 *
 * @param between the two readings that differences need
 */
record NvmlCheck(Node node, Probe<GpuReadings> probe, Duration between) implements Check {
    @Override
    public String name() {
        return "nvml";
    }

    @Override
    public List<Finding> look() throws InterruptedException {
        GpuReadings readings;
        try {
            probe.read(Instant.EPOCH);
            Thread.sleep(between.toMillis());
            readings = probe.read(Instant.EPOCH);
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
        findings.add(Finding.fine(
                name(),
                "driver " + readings.driver().version() + " answers for "
                        + gpus(readings.gpus().size())));
        readings.driver()
                .simulated()
                .ifPresent(sentence -> findings.add(
                        Finding.warning(name(), sentence, "take nvml.library out of agent.yml on a real node")));
        long known = node.list("proc/driver/nvidia/gpus").size();
        if (readings.gpus().size() < known) {
            findings.add(Finding.error(
                    name(),
                    "the driver has " + gpus(known) + ", NVML answers for "
                            + readings.gpus().size(),
                    "a GPU is lost: dmesg | grep -i -e nvrm -e xid; it is not measured"));
        }
        Map<List<String>, List<String>> indexesByAbsent = new LinkedHashMap<>();
        for (GpuReading gpu : readings.gpus()) {
            indexesByAbsent
                    .computeIfAbsent(absentIn(gpu), first -> new ArrayList<>())
                    .add(Integer.toString(gpu.device().index()));
        }
        indexesByAbsent.forEach((absent, indexes) -> findings.add(Finding.fine(
                name(),
                "GPU " + String.join(" ", indexes) + ": "
                        + (absent.isEmpty() ? "tells everything" : "does not tell " + String.join(", ", absent)))));
        return findings;
    }

    private static String gpus(long count) {
        return count + (count == 1 ? " GPU" : " GPUs");
    }

    /** Keys, as on the wire, of what has no value; what holds others is looked into. */
    static List<String> absentIn(Record record) {
        List<String> absent = new ArrayList<>();
        for (RecordComponent component : record.getClass().getRecordComponents()) {
            String key = component.getName().replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
            Object value;
            try {
                value = component.getAccessor().invoke(record);
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(e); // public records of this program
            }
            if (value instanceof Optional<?> optional && optional.orElse(null) instanceof Record inner) {
                absentIn(inner).forEach(name -> absent.add(key + "." + name));
            } else if ((value instanceof Optional<?> optional && optional.isEmpty())
                    || (value instanceof OptionalDouble number && number.isEmpty())
                    || (value instanceof OptionalLong whole && whole.isEmpty())
                    || (value instanceof OptionalInt small && small.isEmpty())) {
                absent.add(key);
            }
        }
        return absent;
    }
}
