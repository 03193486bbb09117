package io.fairwatch.collector.store;

import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.duckdb.DuckDBConnection;
import org.jspecify.annotations.Nullable;

/** One connection and the few things that are done with it. Confined to the thread that holds it. */
final class Session implements AutoCloseable {
    private static final int MOST_PREPARED = 64;

    private final DuckDBConnection connection;
    private final int timeoutSeconds;
    private final Map<String, PreparedStatement> prepared = new LinkedHashMap<>(16, 0.75f, true);

    /**
     * @param connection becomes this session's own; with autocommit on, so that no old state of the tables is held
     * @param timeout how long one statement may take; zero: without limit
     */
    Session(DuckDBConnection connection, Duration timeout) {
        this.connection = connection;
        this.timeoutSeconds = Math.toIntExact(timeout.toSeconds());
    }

    /** Makes a value of the row on which the cells stand. */
    interface Mapper<T> {
        T map(Cells cells) throws SQLException;
    }

    /**
     * Begins a transaction by a statement. Never replace it by {@code setAutoCommit(false)}: DuckDB's appender does not
     * begin one by itself, so what it writes first would be committed alone.
     */
    void begin() throws SQLException {
        execute("BEGIN TRANSACTION");
    }

    void commit() throws SQLException {
        execute("COMMIT");
    }

    void rollback() throws SQLException {
        execute("ROLLBACK");
    }

    void execute(String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(timeoutSeconds);
            statement.execute(sql);
        }
    }

    /** Runs a statement that answers nothing. Parameters: strings and boxed numbers. */
    void update(String sql, @Nullable Object... parameters) throws SQLException {
        prepared(sql, parameters).execute();
    }

    /** All rows of a query. Parameters: strings and boxed numbers. */
    <T> List<T> query(String sql, Mapper<T> mapper, @Nullable Object... parameters) throws SQLException {
        List<T> rows = new ArrayList<>();
        try (ResultSet result = prepared(sql, parameters).executeQuery()) {
            while (result.next()) {
                rows.add(mapper.map(new Cells(result)));
            }
        }
        return rows;
    }

    /** Appends to a table of the database, within the transaction that was begun. */
    Rows append(String table) throws SQLException {
        return new Rows(connection.createAppender("main", table));
    }

    /** Appends to a temporary table of this session. */
    Rows appendTemporary(String table) throws SQLException {
        return new Rows(connection.createAppender("temp", "main", table));
    }

    /** The statement with its parameters. Statements are kept, because planning takes longer than most of them. */
    private PreparedStatement prepared(String sql, @Nullable Object... parameters) throws SQLException {
        PreparedStatement statement = prepared.get(sql);
        if (statement == null) {
            statement = connection.prepareStatement(sql);
            statement.setQueryTimeout(timeoutSeconds);
            prepared.put(sql, statement);
            if (prepared.size() > MOST_PREPARED) {
                Iterator<PreparedStatement> eldest = prepared.values().iterator();
                eldest.next().close();
                eldest.remove();
            }
        }
        for (int i = 0; i < parameters.length; i++) {
            statement.setObject(i + 1, parameters[i] instanceof String text ? Rows.clean(text) : parameters[i]);
        }
        return statement;
    }

    @Override
    public void close() throws SQLException {
        for (PreparedStatement statement : prepared.values()) {
            statement.close();
        }
        prepared.clear();
        connection.close();
    }
}
