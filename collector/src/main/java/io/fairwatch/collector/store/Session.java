package io.fairwatch.collector.store;

import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.duckdb.DuckDBConnection;

/** One connection and the few things that are done with it. Confined to the thread that holds it. */
final class Session implements AutoCloseable {
    private final DuckDBConnection connection;
    private final int timeoutSeconds;

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
    void update(String sql, Object... parameters) throws SQLException {
        try (PreparedStatement statement = prepared(sql, parameters)) {
            statement.execute();
        }
    }

    /** All rows of a query. Parameters: strings and boxed numbers. */
    <T> List<T> query(String sql, Mapper<T> mapper, Object... parameters) throws SQLException {
        List<T> rows = new ArrayList<>();
        try (PreparedStatement statement = prepared(sql, parameters);
                ResultSet result = statement.executeQuery()) {
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

    private PreparedStatement prepared(String sql, Object... parameters) throws SQLException {
        PreparedStatement statement = connection.prepareStatement(sql);
        try {
            statement.setQueryTimeout(timeoutSeconds);
            for (int i = 0; i < parameters.length; i++) {
                statement.setObject(i + 1, parameters[i] instanceof String text ? Rows.clean(text) : parameters[i]);
            }
            return statement;
        } catch (SQLException | RuntimeException e) {
            statement.close();
            throw e;
        }
    }

    @Override
    public void close() throws SQLException {
        connection.close();
    }
}
