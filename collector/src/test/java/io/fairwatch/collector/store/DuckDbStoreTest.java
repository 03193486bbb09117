package io.fairwatch.collector.store;

import io.fairwatch.collector.store.Store.StoreException;
import java.nio.file.Path;

/** The embedded store keeps what every store promises. */
class DuckDbStoreTest extends StoreContract {
    @Override
    Store open(Path directory) throws StoreException {
        return DuckDbStore.open(directory.resolve("store"), DuckDbStore.Settings.DEFAULTS);
    }
}
