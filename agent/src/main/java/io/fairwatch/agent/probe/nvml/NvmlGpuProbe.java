package io.fairwatch.agent.probe.nvml;

import io.fairwatch.agent.probe.PolledProbe;
import io.fairwatch.agent.probe.ProcessLookup;
import io.fairwatch.agent.wire.GpuDriver;
import io.fairwatch.agent.wire.GpuReading;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Every NVIDIA GPU of this node. Opens the driver's library at the first reading and keeps it open. Calls must not
 * overlap, and any of them may hang in the driver.
 */
public final class NvmlGpuProbe implements PolledProbe<GpuReadings>, AutoCloseable {
    /** How long until a driver or a GPU that was not there is looked for again. */
    static final Duration LOOK_AGAIN = Duration.ofMinutes(5);

    private static final Logger log = LoggerFactory.getLogger(NvmlGpuProbe.class);
    private static final int LONGEST_SIMULATED = 200;

    /** What is known from one opening of the library to its closing. */
    private record Session(Nvml nvml, GpuDriver driver, List<Gpu> gpus, boolean complete) {}

    /** Why there was nothing to read, and when that was found. */
    private record Missing(String why, long sinceNanos) {}

    private final Nvml.Opener opener;
    private final ProcessLookup lookup;
    private final LongSupplier nanoTime;
    private @Nullable Session session;
    private @Nullable Missing missing;
    private long openedNanos;

    /**
     * Reads the driver's own library.
     *
     * @param library file name or path of another one; empty: {@code libnvidia-ml.so.1}
     * @param lookup tells whose a process on a GPU is
     */
    public NvmlGpuProbe(Optional<String> library, ProcessLookup lookup) {
        this(() -> NvmlLibrary.open(library.orElse(NvmlLibrary.DEFAULT)), lookup, System::nanoTime);
    }

    NvmlGpuProbe(Nvml.Opener opener, ProcessLookup lookup, LongSupplier nanoTime) {
        this.opener = opener;
        this.lookup = lookup;
        this.nanoTime = nanoTime;
    }

    @Override
    public String name() {
        return "nvml";
    }

    @Override
    public GpuReadings read(Instant at) throws ProbeException {
        if (session != null && !isWhole(session) && nanoTime.getAsLong() - openedNanos >= LOOK_AGAIN.toNanos()) {
            close(); // a GPU that was reset comes back with a new handle only
        }
        boolean fresh = session == null;
        try {
            return read(session());
        } catch (NvmlException e) {
            close();
            if (fresh) {
                throw failure(e);
            }
        }
        try { // the driver was loaded anew, or so it seems: what counts is what it says to a new session
            return read(session());
        } catch (NvmlException e) {
            close();
            throw failure(e);
        }
    }

    @Override
    public void poll() throws ProbeException {
        if (session == null) {
            return;
        }
        try {
            long now = nanoTime.getAsLong();
            for (Gpu gpu : session.gpus()) {
                readFrom(gpu, () -> {
                    gpu.drain(now);
                    return gpu;
                });
            }
        } catch (NvmlException e) {
            close(); // the next reading opens it again, or says why not
            throw failure(e);
        }
    }

    /** Ends the session with the driver, so that it can be unloaded; the next reading begins a new one. */
    @Override
    public void close() {
        if (session != null) {
            session.nvml().close();
            session = null;
        }
    }

    private GpuReadings read(Session open) throws NvmlException {
        long now = nanoTime.getAsLong();
        List<GpuReading> readings = new ArrayList<>();
        for (Gpu gpu : open.gpus()) {
            readFrom(gpu, () -> gpu.read(now, lookup)).ifPresent(readings::add);
        }
        return new GpuReadings(open.driver(), readings);
    }

    private interface Reading<T> {
        T read() throws NvmlException;
    }

    /** Empty when this GPU is lost; the others go on. */
    private static <T> Optional<T> readFrom(Gpu gpu, Reading<T> reading) throws NvmlException {
        try {
            T value = reading.read();
            if (!gpu.answering()) {
                gpu.answering(true);
                log.info("GPU answers again uuid={}", gpu.device().uuid());
            }
            return Optional.of(value);
        } catch (NvmlException e) {
            if (!e.losesDevice()) {
                throw e;
            }
            return leftOut(gpu, e);
        } catch (IllegalArgumentException e) { // a value that no record takes: the other GPUs have done nothing wrong
            return leftOut(gpu, e);
        }
    }

    private static <T> Optional<T> leftOut(Gpu gpu, Exception why) {
        if (gpu.answering()) {
            gpu.answering(false);
            log.warn("GPU left out uuid={} why=\"{}\"", gpu.device().uuid(), why.getMessage());
        }
        return Optional.empty();
    }

    private Session session() throws NvmlException, ProbeException {
        if (session != null) {
            return session;
        }
        if (missing != null && nanoTime.getAsLong() - missing.sinceNanos() < LOOK_AGAIN.toNanos()) {
            throw new NothingToReadException(missing.why());
        }
        missing = null;
        Nvml nvml;
        try {
            nvml = opener.open();
        } catch (NvmlException e) {
            throw failure(e);
        }
        try {
            session = takeStock(nvml);
        } finally {
            if (session == null) {
                nvml.close();
            }
        }
        openedNanos = nanoTime.getAsLong();
        return session;
    }

    private Session takeStock(Nvml nvml) throws NvmlException {
        GpuDriver driver = new GpuDriver(
                nvml.driverVersion(),
                nvml.simulated()
                        .map(sentence -> sentence.substring(0, Math.min(LONGEST_SIMULATED, sentence.length()))));
        int count = nvml.deviceCount();
        List<Gpu> gpus = new ArrayList<>();
        for (int index = 0; index < count; index++) {
            try {
                gpus.add(new Gpu(nvml, index, nanoTime.getAsLong()));
            } catch (NvmlException e) {
                if (e.endsSession()) {
                    throw e;
                }
                log.warn("GPU left out index={} why=\"{}\"", index, e.getMessage());
            }
        }
        log.info(
                "NVML opened driver={} gpus={} simulated={}",
                driver.version(),
                gpus.size(),
                driver.simulated().isPresent());
        return new Session(nvml, driver, gpus, gpus.size() == count);
    }

    private static boolean isWhole(Session session) {
        return session.complete() && session.gpus().stream().allMatch(Gpu::answering);
    }

    private ProbeException failure(NvmlException e) {
        if (e.isNoDriver()) {
            missing = new Missing("no NVIDIA driver (" + e.getMessage() + ")", nanoTime.getAsLong());
            return new NothingToReadException(missing.why());
        }
        return new ProbeException(e.getMessage() == null ? "NVML failed" : e.getMessage(), e);
    }
}
