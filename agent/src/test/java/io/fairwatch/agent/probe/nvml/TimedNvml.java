package io.fairwatch.agent.probe.nvml;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Map;
import java.util.TreeMap;

/** Another NVML with a stop-watch: what each kind of call costs. Confined to one thread. */
final class TimedNvml {
    private final Map<String, Cost> costs = new TreeMap<>();

    /** Calls of one kind. */
    private static final class Cost {
        private int calls;
        private long nanos;
        private long longest;
    }

    /** The same library, timed. */
    Nvml.Opener opener(Nvml.Opener opener) {
        return () -> {
            Nvml nvml = opener.open();
            InvocationHandler timed = (proxy, method, arguments) -> {
                String asked = method.getName()
                        + (arguments != null && arguments.length > 1 && arguments[1] instanceof Enum<?> what
                                ? " " + what
                                : "");
                long began = System.nanoTime();
                try {
                    return method.invoke(nvml, arguments);
                } catch (InvocationTargetException e) {
                    throw e.getCause() == null ? e : e.getCause();
                } finally {
                    note(asked, System.nanoTime() - began);
                }
            };
            return (Nvml) Proxy.newProxyInstance(Nvml.class.getClassLoader(), new Class<?>[] {Nvml.class}, timed);
        };
    }

    private void note(String call, long nanos) {
        Cost cost = costs.computeIfAbsent(call, first -> new Cost());
        cost.calls++;
        cost.nanos += nanos;
        cost.longest = Math.max(cost.longest, nanos);
    }

    /** How often a call was made, whatever it asked for. */
    int calls(String name) {
        return costs.entrySet().stream()
                .filter(entry -> (entry.getKey() + " ").startsWith(name + " "))
                .mapToInt(entry -> entry.getValue().calls)
                .sum();
    }

    /** A line for each kind of call. */
    String table() {
        StringBuilder table =
                new StringBuilder("%-44s %8s %10s %10s%n".formatted("call", "calls", "mean us", "max us"));
        costs.forEach((call, cost) -> table.append("%-44s %8d %10.1f %10.1f%n"
                .formatted(call, cost.calls, cost.nanos / 1e3 / cost.calls, cost.longest / 1e3)));
        return table.toString();
    }
}
