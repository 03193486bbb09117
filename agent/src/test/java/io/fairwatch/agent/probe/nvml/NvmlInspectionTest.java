package io.fairwatch.agent.probe.nvml;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.fairwatch.agent.probe.Probe.NothingToReadException;
import io.fairwatch.agent.probe.nvml.Nvml.Field;
import io.fairwatch.agent.probe.nvml.Nvml.Quantity;
import io.fairwatch.agent.probe.nvml.NvmlInspection.Answer;
import io.fairwatch.agent.probe.nvml.NvmlInspection.Device;
import io.fairwatch.agent.probe.nvml.NvmlInspection.Outcome;
import io.fairwatch.agent.probe.nvml.NvmlInspection.Silent;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class NvmlInspectionTest {
    private final FakeNvml driver = new FakeNvml(2);
    private final FakeNvml.Device first = driver.devices.get(0);

    private static Answer of(Device device, String reading) {
        return device.answers().stream()
                .filter(answer -> answer.reading().equals(reading))
                .findFirst()
                .orElseThrow();
    }

    @Test
    @DisplayName("says for each reading whether it works, and in the driver's words why not")
    void answers() throws Exception {
        first.sample(10, 0);
        first.quantities.put(Quantity.POWER_MILLIWATTS, OptionalLong.of(1));
        first.quantities.put(Quantity.TEMPERATURE_CELSIUS, OptionalLong.empty());
        first.quantities.put(Quantity.PERSISTENCE_MODE, OptionalLong.of(0));
        first.quantities.put(Quantity.MINOR_NUMBER, OptionalLong.of(8));
        first.field(Field.PAGES_RETIRED_FOR_SINGLE_BITS, 0);
        NvmlInspection inspection = Inspector.inspect(driver::open);
        assertEquals("535.1", inspection.driverVersion());
        assertEquals(Optional.of("12.2"), inspection.cudaVersion());
        Device device = inspection.devices().get(0);
        assertEquals(8, device.device().minorNumber().orElseThrow());
        assertEquals(Optional.of(false), device.persistence());
        assertEquals(Optional.empty(), device.mig());
        assertEquals(new Answer("power", Outcome.WORKS, ""), of(device, "power"));
        assertEquals(Outcome.WORKS, of(device, "utilisation, every sample").outcome());
        assertEquals(Outcome.WORKS, of(device, "replaced memory").outcome());
        assertEquals(
                new Answer("fan speed", Outcome.NOT_SUPPORTED, "call: not supported (3)"), of(device, "fan speed"));
        assertEquals(Outcome.NOT_SUPPORTED, of(device, "temperature").outcome());
        assertEquals(
                new Answer(
                        "memory temperature", Outcome.NOT_SUPPORTED, "nvmlDeviceGetFieldValues 82: not supported (3)"),
                of(device, "memory temperature"));
        assertEquals(
                "nvmlGpmQueryDeviceSupport: not supported (3)",
                of(device, "activity (GPM)").why());
        assertEquals(1, driver.closed);
    }

    @Test
    @DisplayName("an empty answer works too")
    void empty() throws Exception {
        first.sharesSupported = true;
        Device device = Inspector.inspect(driver::open).devices().get(0);
        assertEquals(Outcome.WORKS, of(device, "utilisation by process").outcome());
    }

    @Test
    @DisplayName("instances follow their GPU, which is not asked for what belongs to them")
    void instances() throws Exception {
        driver.instance(0, 0, 900, 7, "MIG-a");
        first.countersSupported = true;
        List<Device> devices = Inspector.inspect(driver::open).devices();
        assertEquals(
                List.of("GPU-0", "MIG-a", "GPU-1"),
                devices.stream().map(device -> device.device().uuid()).toList());
        assertEquals(Optional.of(true), devices.get(0).mig());
        assertEquals(
                0,
                devices.get(0).answers().stream()
                        .filter(c -> c.reading().startsWith("util"))
                        .count());
        assertEquals(Outcome.WORKS, of(devices.get(1), "activity (GPM)").outcome());
        assertEquals(Outcome.NOT_SUPPORTED, of(devices.get(1), "memory").outcome());
    }

    @Test
    @DisplayName("a GPU that does not answer is named with its reason")
    void silent() throws Exception {
        first.failWith = NvmlException.GPU_IS_LOST;
        NvmlInspection inspection = Inspector.inspect(driver::open);
        assertEquals(1, inspection.devices().size());
        assertEquals(List.of(new Silent(0, "call: the GPU is lost (15)")), inspection.silent());
    }

    @Test
    @DisplayName("without a driver there is nothing to inspect")
    void noDriver() {
        assertThrows(
                NothingToReadException.class,
                () -> Inspector.inspect(() -> {
                    throw new NvmlException("nvmlInit", NvmlException.DRIVER_NOT_LOADED);
                }));
    }
}
