package io.fairwatch.collector;

import io.fairwatch.collector.store.Store;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.time.Duration;

/** Measures what is asked of a store, call by call, whatever calls the interface has. */
final class TimedStore {
    private TimedStore() {}

    /** The same store; closing it closes the measured one. */
    static Store of(Store measured, MeterRegistry meters) {
        return (Store) Proxy.newProxyInstance(
                Store.class.getClassLoader(), new Class<?>[] {Store.class}, (proxy, method, arguments) -> {
                    long began = System.nanoTime();
                    String outcome = "failed";
                    try {
                        Object answer = method.invoke(measured, arguments);
                        outcome = "done";
                        return answer;
                    } catch (InvocationTargetException e) {
                        throw e.getCause() == null ? e : e.getCause();
                    } finally {
                        Timer.builder("fairwatch.collector.store.call")
                                .description("How long the store takes, by what is asked of it")
                                .tag("call", method.getName())
                                .tag("outcome", outcome)
                                .register(meters)
                                .record(Duration.ofNanos(System.nanoTime() - began));
                    }
                });
    }
}
