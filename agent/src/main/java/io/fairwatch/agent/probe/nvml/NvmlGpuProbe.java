package io.fairwatch.agent.probe.nvml;

import io.fairwatch.agent.probe.PolledProbe;
import io.fairwatch.agent.probe.ProcessLookup;
import io.fairwatch.agent.wire.GpuDriver;
import io.fairwatch.agent.wire.GpuReading;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Every NVIDIA GPU of this node and every MIG instance of it. Opens the driver's library at the first reading and keeps
 * it open. Calls must not overlap, and any of them may hang in the driver.
 */
public final class NvmlGpuProbe implements PolledProbe<GpuReadings>, AutoCloseable {
    /** How long until a driver or a GPU that was not there is looked for again. */
    static final Duration LOOK_AGAIN = Duration.ofMinutes(5);

    /** Seldom enough to cost nothing. */
    private static final Duration XID_WAIT = Duration.ofSeconds(5);

    private static final Logger log = LoggerFactory.getLogger(NvmlGpuProbe.class);
    private static final int LONGEST_SIMULATED = 200;
    private static final int LONGEST_VERSION = 96;
    static final int MOST_GPUS = 256;

    /** What is known from one opening of the library to its closing. */
    private record Session(Nvml nvml, GpuDriver driver, List<Gpu> gpus, Optional<XidListener> xids, boolean complete) {}

    /** Why there was nothing to read, and when that was found. */
    private record Missing(String why, long sinceNanos) {}

    private final Nvml.Opener opener;
    private final ProcessLookup lookup;
    private final LongSupplier nanoTime;
    private final Duration xidWait;
    /** By UUID, of sessions before. */
    private final Map<String, List<Integer>> untoldXids = new HashMap<>();

    private @Nullable Session session;
    private @Nullable Session ending;
    private @Nullable Missing missing;
    private long openedNanos;

    /**
     * Reads the driver's own library.
     *
     * @param library file name or path of another one; empty: {@code libnvidia-ml.so.1}
     * @param lookup tells whose a process on a GPU is
     * @param deadline how long a reading may take; a session is ended within it
     */
    public NvmlGpuProbe(Optional<String> library, ProcessLookup lookup, Duration deadline) {
        this(() -> NvmlLibrary.open(library.orElse(NvmlLibrary.DEFAULT)), lookup, System::nanoTime, xidWait(deadline));
    }

    /** How long one wait for XIDs lasts: the end of a session waits for it, and a quarter longer. */
    static Duration xidWait(Duration deadline) {
        Duration half = deadline.dividedBy(2);
        return half.compareTo(XID_WAIT) < 0 ? half : XID_WAIT;
    }

    NvmlGpuProbe(Nvml.Opener opener, ProcessLookup lookup, LongSupplier nanoTime, Duration xidWait) {
        this.opener = opener;
        this.lookup = lookup;
        this.nanoTime = nanoTime;
        this.xidWait = xidWait;
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
            missed(); // what the GPUs before said goes with it
            close();
            if (fresh) {
                throw failure(e);
            }
        }
        try { // the driver was loaded anew, or so it seems: what counts is what it says to a new session
            return read(session());
        } catch (NvmlException e) {
            missed();
            close();
            throw failure(e);
        }
    }

    /** Errors of GPUs are told once; those that reached nobody are told by the next reading. */
    @Override
    public void missed() {
        if (session != null) {
            session.gpus().forEach(Gpu::tellXidsAgain);
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
                readFrom(
                        gpu,
                        () -> {
                            gpu.drain(now);
                            return List.of();
                        },
                        false);
            }
        } catch (NvmlException e) {
            close(); // the next reading opens it again, or says why not
            throw failure(e);
        }
    }

    /** Ends the session with the driver, so that it can be unloaded; the next reading begins a new one. */
    @Override
    public void close() {
        Session ended = session;
        session = null;
        if (ended == null) {
            return;
        }
        hear(ended);
        for (Gpu gpu : ended.gpus()) {
            if (!gpu.untoldXids().isEmpty()) {
                untoldXids.put(gpu.device().uuid(), gpu.untoldXids());
            }
        }
        if (ended.xids().map(XidListener::end).orElse(true)) {
            close(ended);
        } else { // it waits inside the driver for more than it was asked to: unloading its code would be the end of us
            ending = ended;
        }
    }

    private static void close(Session ended) {
        ended.gpus().forEach(Gpu::close);
        ended.nvml().close();
    }

    private GpuReadings read(Session open) throws NvmlException {
        long now = nanoTime.getAsLong();
        open.gpus().forEach(Gpu::beginReading);
        hear(open);
        List<GpuReading> readings = new ArrayList<>();
        for (Gpu gpu : open.gpus()) {
            readings.addAll(readFrom(gpu, () -> gpu.read(now, lookup), true));
        }
        return new GpuReadings(open.driver(), readings);
    }

    private static void hear(Session open) {
        for (Nvml.Xid xid : open.xids().map(XidListener::take).orElse(List.of())) {
            for (Gpu gpu : open.gpus()) {
                if (gpu.handle() == xid.device() && gpu.hear(xid.code())) {
                    log.warn("GPU reports an error uuid={} xid={}", gpu.device().uuid(), xid.code());
                }
            }
        }
    }

    private interface Reading {
        List<GpuReading> read() throws NvmlException;
    }

    /** Its last words at most, where somebody hears them, when this GPU is lost; the others go on. */
    private static List<GpuReading> readFrom(Gpu gpu, Reading reading, boolean heard) throws NvmlException {
        try {
            List<GpuReading> readings = reading.read();
            if (!gpu.answering()) {
                gpu.answering(true);
                log.info("GPU answers again uuid={}", gpu.device().uuid());
            }
            return readings;
        } catch (NvmlException e) {
            if (!e.losesDevice()) {
                throw e;
            }
            return leftOut(gpu, e, heard);
        } catch (IllegalArgumentException e) { // a value that no record takes: the other GPUs have done nothing wrong
            return leftOut(gpu, e, heard);
        }
    }

    private static List<GpuReading> leftOut(Gpu gpu, Exception why, boolean heard) {
        if (gpu.answering()) {
            gpu.answering(false);
            log.warn("GPU left out uuid={} why=\"{}\"", gpu.device().uuid(), why.getMessage());
        }
        return heard ? gpu.lastWords().map(List::of).orElse(List.of()) : List.of();
    }

    private Session session() throws NvmlException, ProbeException {
        if (session != null) {
            return session;
        }
        if (missing != null && nanoTime.getAsLong() - missing.sinceNanos() < LOOK_AGAIN.toNanos()) {
            throw new NothingToReadException(missing.why());
        }
        missing = null;
        if (ending != null) {
            if (!ending.xids().map(XidListener::hasEnded).orElse(true)) {
                throw new ProbeException("the driver still holds a call of the last session (nvmlEventSetWait)");
            }
            close(ending);
            ending = null;
        }
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
        String version = Gpu.printable(nvml.driverVersion());
        GpuDriver driver = new GpuDriver(
                version.substring(0, Math.min(LONGEST_VERSION, version.length())),
                nvml.simulated()
                        .map(sentence -> sentence.substring(0, Math.min(LONGEST_SIMULATED, sentence.length()))));
        int count = Math.min(nvml.deviceCount(), MOST_GPUS);
        if (count <= 0) {
            throw new NvmlException("nvmlDeviceGetCount", NvmlException.NO_DEVICES);
        }
        List<Gpu> gpus = new ArrayList<>();
        for (int index = 0; index < count; index++) {
            try {
                gpus.add(new Gpu(nvml, index, count, nanoTime.getAsLong()));
            } catch (NvmlException e) {
                if (e.endsSession()) {
                    throw e;
                }
                log.warn("GPU left out index={} why=\"{}\"", index, e.getMessage());
            } catch (IllegalArgumentException e) { // no record takes what it says of itself
                log.warn("GPU left out index={} why=\"{}\"", index, e.getMessage());
            }
        }
        Optional<XidListener> xids = listen(nvml, gpus);
        for (Gpu gpu : gpus) {
            List<Integer> untold = untoldXids.remove(gpu.device().uuid());
            if (untold != null) {
                untold.forEach(gpu::hear);
            }
        }
        log.info(
                "NVML opened driver={} gpus={} xids={} simulated={}",
                driver.version(),
                gpus.size(),
                xids.isPresent(),
                driver.simulated().isPresent());
        return new Session(nvml, driver, gpus, xids, gpus.size() == count);
    }

    private Optional<XidListener> listen(Nvml nvml, List<Gpu> gpus) throws NvmlException {
        try {
            XidListener xids =
                    new XidListener(nvml.xids(gpus.stream().map(Gpu::handle).toList()), xidWait);
            gpus.stream().filter(gpu -> xids.covers(gpu.handle())).forEach(Gpu::listening);
            return Optional.of(xids);
        } catch (NvmlException e) {
            if (e.endsSession()) {
                throw e;
            }
            log.info("XIDs are not told why=\"{}\"", e.getMessage());
            return Optional.empty();
        }
    }

    private static boolean isWhole(Session session) {
        return session.complete() && session.gpus().stream().allMatch(Gpu::answering);
    }

    private ProbeException failure(NvmlException e) {
        if (e.isNoDriver() || e.code() == NvmlException.NO_DEVICES) {
            String what = e.isNoDriver() ? "no NVIDIA driver" : "no GPU of the NVIDIA driver";
            missing = new Missing(what + " (" + e.getMessage() + ")", nanoTime.getAsLong());
            return new NothingToReadException(missing.why());
        }
        return new ProbeException(e.getMessage() == null ? "NVML failed" : e.getMessage(), e);
    }
}
