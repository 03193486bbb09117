package io.fairwatch.collector.store;

import io.fairwatch.collector.store.PeriodFacts.NodeSpan;
import io.fairwatch.collector.store.Store.StoreException;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Properties;
import org.duckdb.DuckDBConnection;
import org.duckdb.DuckDBDriver;

/** What Slurm said of its nodes over a time for which asking it every ten minutes would take a test too long. */
public final class GivenNodes {
    private GivenNodes() {}

    /** Writes it into the store of a directory that no collector has open, as if Slurm was asked all the time until {@code asked}. */
    public static void make(Path directory, Instant asked, List<NodeSpan> spans) throws StoreException, SQLException {
        DuckDbStore.open(directory, DuckDbStore.Settings.DEFAULTS).close();
        try (DuckDBConnection connection = new DuckDBDriver()
                        .connect("jdbc:duckdb:" + directory.resolve("fairwatch.duckdb"), new Properties())
                        .unwrap(DuckDBConnection.class);
                Session session = new Session(connection, Duration.ZERO)) {
            try (Rows rows = session.append("node_state")) {
                for (NodeSpan span : spans) {
                    rows.text(span.name())
                            .time(span.from())
                            .time(span.to())
                            .word(span.service())
                            .number(span.cpus())
                            .number(span.memoryBytes())
                            .number(span.gpus())
                            .text(span.gres())
                            .end();
                }
            }
            String at = Long.toString(asked.toEpochMilli());
            RunTables.saveValue(session, "view_at_ms", at);
            RunTables.saveValue(session, "view_cluster", "lab");
            RunTables.saveValue(session, "accounting_until_ms", at);
        }
    }
}
