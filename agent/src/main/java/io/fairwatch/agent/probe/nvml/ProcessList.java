package io.fairwatch.agent.probe.nvml;

import io.fairwatch.agent.probe.ProcessLookup;
import io.fairwatch.agent.probe.nvml.Nvml.Running;
import io.fairwatch.agent.wire.GpuProcess;
import io.fairwatch.agent.wire.GpuProcess.Kind;
import io.fairwatch.agent.wire.MigInstance;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.IntFunction;

/**
 * The processes on one device, from the driver's three lists. A list costs milliseconds, so the compute list is read at
 * each reading and the others less often. Confined to the probe.
 */
final class ProcessList {
    /** At each so many-th reading the lists that were empty are read again. */
    static final int EMPTY_LISTS_EVERY = 4;

    private static final int MOST_PROCESSES = 4096;

    private final Nvml nvml;
    private final long device;
    private final Optional<MigInstance> mig;
    private final Asked asked;
    private final Set<Kind> notEmpty = EnumSet.noneOf(Kind.class);
    private int readings;

    ProcessList(Nvml nvml, long device, Optional<MigInstance> mig, Asked asked) {
        this.nvml = nvml;
        this.device = device;
        this.mig = mig;
        this.asked = asked;
    }

    /**
     * Reads the lists.
     *
     * @param busy whether somebody worked on the device, so that it is worth looking for whom
     * @param share of a process by its pid
     * @return empty when the driver does not tell
     */
    Optional<List<GpuProcess>> read(ProcessLookup lookup, boolean busy, IntFunction<OptionalDouble> share)
            throws NvmlException {
        boolean all = readings++ % EMPTY_LISTS_EVERY == 0;
        Optional<List<Running>> compute = list(Kind.COMPUTE);
        boolean somebodyIsMissing = busy && compute.orElse(List.of()).isEmpty();
        Map<Kind, List<Running>> lists = new LinkedHashMap<>(); // the first that names a process says most
        for (Kind kind : List.of(Kind.MPS, Kind.GRAPHICS)) {
            if (all || somebodyIsMissing || notEmpty.contains(kind)) {
                lists.put(kind, list(kind).orElse(List.of()));
            }
        }
        // without the first list nobody can say who is not there
        boolean untold = compute.isEmpty() && !asked.refuses(Kind.COMPUTE);
        if (untold || (compute.isEmpty() && lists.values().stream().allMatch(List::isEmpty))) {
            return Optional.empty();
        }
        Map<Integer, Kind> kinds = new LinkedHashMap<>();
        Map<Integer, Long> memory = new HashMap<>();
        add(Kind.MPS, lists.getOrDefault(Kind.MPS, List.of()), kinds, memory);
        add(Kind.COMPUTE, compute.orElse(List.of()), kinds, memory);
        add(Kind.GRAPHICS, lists.getOrDefault(Kind.GRAPHICS, List.of()), kinds, memory);
        List<GpuProcess> processes = new ArrayList<>();
        kinds.entrySet().stream().limit(MOST_PROCESSES).forEach(entry -> {
            int pid = entry.getKey();
            Long bytes = memory.get(pid);
            processes.add(new GpuProcess(
                    pid,
                    entry.getValue(),
                    lookup.uidOf(pid),
                    lookup.jobOf(pid),
                    bytes == null ? OptionalLong.empty() : OptionalLong.of(bytes),
                    share.apply(pid)));
        });
        return Optional.of(processes);
    }

    private Optional<List<Running>> list(Kind kind) throws NvmlException {
        Optional<List<Running>> list = asked.ask(kind, () -> nvml.processes(device, kind));
        if (list.filter(running -> !running.isEmpty()).isPresent()) {
            notEmpty.add(kind);
        } else {
            notEmpty.remove(kind);
        }
        return list;
    }

    private void add(Kind kind, List<Running> list, Map<Integer, Kind> kinds, Map<Integer, Long> memory) {
        for (Running process : list) {
            if (process.pid() > 0 && isHere(process)) {
                kinds.putIfAbsent(process.pid(), kind);
                process.memoryBytes().ifPresent(bytes -> memory.putIfAbsent(process.pid(), bytes));
            }
        }
    }

    /** Some drivers give an instance the list of its whole GPU; a record that knows its instance belongs there only. */
    private boolean isHere(Running process) {
        return mig.isEmpty()
                || (process.gpuInstance().orElse(mig.get().gpuInstanceId())
                                == mig.get().gpuInstanceId()
                        && process.computeInstance().orElse(mig.get().computeInstanceId())
                                == mig.get().computeInstanceId());
    }
}
