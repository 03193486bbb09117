package io.fairwatch.collector.store;

import io.fairwatch.collector.store.Store.StoreException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.time.Instant;

/** Whatever a store promises holds when all readings lie in sealed files, those that came late in files of their own. */
class SealedStoreTest extends StoreContract {
    private static final Instant END_OF_TIME = Instant.parse("2100-01-01T00:00:00Z");

    @Override
    Store open(Path directory) throws StoreException {
        DuckDbStore store = DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
        return (Store) Proxy.newProxyInstance(
                Store.class.getClassLoader(), new Class<?>[] {Store.class}, (proxy, method, arguments) -> {
                    try {
                        Object answer = method.invoke(store, arguments);
                        if (method.getName().startsWith("append")) {
                            store.seal(END_OF_TIME);
                        }
                        return answer;
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }
}
