package io.fairwatch.collector.report;

import io.fairwatch.collector.run.NodeService;
import io.fairwatch.collector.store.PeriodFacts.NodeSpan;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;

/**
 * What there was to be used, hour by hour, from what Slurm said of its nodes. Nothing is filled in for hours in which
 * nobody asked Slurm. Immutable once made.
 */
final class Capacity {
    static final long HOUR_MS = Duration.ofHours(1).toMillis();

    /** Resources of some nodes over time, in milliseconds times what is counted. */
    static final class Amount {
        long serviceMs;
        long cpuMs;
        long memoryMibMs;
        final Map<NodeService, Long> outMs = new EnumMap<>(NodeService.class);

        long outMs() {
            return outMs.values().stream().mapToLong(Long::longValue).sum();
        }

        private void add(NodeSpan span, long lengthMs) {
            long gpuMs = lengthMs * span.gpus().orElse(0);
            if (serves(span.service())) {
                serviceMs += gpuMs;
                cpuMs += lengthMs * span.cpus().orElse(0);
                memoryMibMs += lengthMs * (span.memoryBytes().orElse(0) >> 20);
            } else {
                outMs.merge(span.service(), gpuMs, Long::sum);
            }
        }
    }

    final Amount all = new Amount();
    final Map<String, Amount> byModel = new TreeMap<>();
    final Map<String, Amount> byGroup = new TreeMap<>();

    /** GPU time in service by model and hour of the period. */
    final Map<String, long[]> hours = new TreeMap<>();

    /** How much of each hour is known. */
    private final long[] knownMs;

    private final Instant from;

    /**
     * @param models GPU model of each node
     * @param nodeGroup group of each node
     */
    Capacity(Period period, List<NodeSpan> spans, Map<String, String> models, UnaryOperator<String> nodeGroup) {
        this.from = period.from();
        int count =
                Math.toIntExact((Duration.between(period.from(), period.to()).toMillis() + HOUR_MS - 1) / HOUR_MS);
        this.knownMs = new long[count];
        known(spans);
        for (NodeSpan span : spans) {
            long length = at(span.to()) - at(span.from());
            all.add(span, length);
            if (span.gpus().orElse(0) > 0) {
                String model = models.getOrDefault(span.name(), "?");
                byModel.computeIfAbsent(model, name -> new Amount()).add(span, length);
                byGroup.computeIfAbsent(nodeGroup.apply(span.name()), name -> new Amount())
                        .add(span, length);
                if (serves(span.service())) {
                    spread(
                            hours.computeIfAbsent(model, name -> new long[count]),
                            at(span.from()),
                            at(span.to()),
                            span.gpus().orElse(0));
                }
            }
        }
    }

    /** A node that drains serves: what runs there holds it, though nothing else may begin. */
    private static boolean serves(NodeService service) {
        return service == NodeService.IN_SERVICE || service == NodeService.DRAINING;
    }

    private record Asked(long from, long to) {}

    private long at(Instant instant) {
        return Duration.between(from, instant).toMillis();
    }

    /** The time in which anything was known of any node. */
    private void known(List<NodeSpan> spans) {
        List<Asked> asked = new ArrayList<>(spans.stream()
                .map(span -> new Asked(at(span.from()), at(span.to())))
                .distinct()
                .sorted(Comparator.comparingLong(Asked::from))
                .toList());
        long until = 0;
        for (Asked span : asked) {
            long begin = Math.max(until, span.from());
            if (span.to() > begin) {
                spread(knownMs, begin, span.to(), 1);
                until = span.to();
            }
        }
    }

    private static void spread(long[] hours, long from, long to, int times) {
        for (long at = from; at < to; ) {
            int hour = (int) (at / HOUR_MS);
            long end = Math.min(to, (hour + 1) * HOUR_MS);
            if (hour >= 0 && hour < hours.length) {
                hours[hour] += (end - at) * times;
            }
            at = end;
        }
    }

    /** How long anything was known of any node. */
    long knownMs() {
        long sum = 0;
        for (long ms : knownMs) {
            sum += ms;
        }
        return sum;
    }

    /** Whether the whole hour is known, as near as makes no difference. */
    boolean knows(int hour) {
        return hour >= 0 && hour < knownMs.length && knownMs[hour] >= HOUR_MS * 98 / 100;
    }

    int hourCount() {
        return knownMs.length;
    }

    /** GPU time in service in an hour, of one model. */
    long serviceMs(String model, int hour) {
        long[] found = hours.get(model);
        return found == null ? 0 : found[hour];
    }

    /** GPU time in service in an hour. */
    long serviceMs(int hour) {
        return hours.values().stream().mapToLong(found -> found[hour]).sum();
    }
}
