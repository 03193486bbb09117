package io.fairwatch.collector.store;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** The cells of one row of an answer, from left to right; NULL comes back absent. Confined to the reading thread. */
final class Cells {
    private final ResultSet result;
    private int column;

    Cells(ResultSet result) {
        this.result = result;
    }

    String text() throws SQLException {
        return result.getString(++column);
    }

    /** A text that many rows and answers have, such as a node or a UUID: kept once. */
    String sharedText() throws SQLException {
        return text().intern();
    }

    Optional<String> maybeText() throws SQLException {
        return Optional.ofNullable(result.getString(++column));
    }

    <E extends Enum<E>> E word(Class<E> type) throws SQLException {
        return Enum.valueOf(type, text());
    }

    int integer() throws SQLException {
        return result.getInt(++column);
    }

    OptionalInt maybeInteger() throws SQLException {
        int value = result.getInt(++column);
        return result.wasNull() ? OptionalInt.empty() : OptionalInt.of(value);
    }

    long number() throws SQLException {
        return result.getLong(++column);
    }

    OptionalLong maybeNumber() throws SQLException {
        long value = result.getLong(++column);
        return result.wasNull() ? OptionalLong.empty() : OptionalLong.of(value);
    }

    double real() throws SQLException {
        return result.getDouble(++column);
    }

    OptionalDouble maybeReal() throws SQLException {
        double value = result.getDouble(++column);
        return result.wasNull() ? OptionalDouble.empty() : OptionalDouble.of(value);
    }

    /** A real number to the nearest whole one. */
    OptionalLong maybeRounded() throws SQLException {
        OptionalDouble value = maybeReal();
        return value.isPresent() ? OptionalLong.of(Math.round(value.getAsDouble())) : OptionalLong.empty();
    }

    boolean flag() throws SQLException {
        return result.getBoolean(++column);
    }

    Optional<Boolean> maybeFlag() throws SQLException {
        boolean value = result.getBoolean(++column);
        return result.wasNull() ? Optional.empty() : Optional.of(value);
    }

    /** What {@link Rows#list} wrote. */
    Optional<List<String>> maybeList() throws SQLException {
        return maybeText().map(text -> text.isEmpty() ? List.of() : List.of(text.split(",", -1)));
    }

    Instant time() throws SQLException {
        return Instant.ofEpochMilli(number());
    }

    Optional<Instant> maybeTime() throws SQLException {
        OptionalLong value = maybeNumber();
        return value.isPresent() ? Optional.of(Instant.ofEpochMilli(value.getAsLong())) : Optional.empty();
    }

    Duration length() throws SQLException {
        return Duration.ofMillis(number());
    }

    Optional<Duration> maybeLength() throws SQLException {
        OptionalLong value = maybeNumber();
        return value.isPresent() ? Optional.of(Duration.ofMillis(value.getAsLong())) : Optional.empty();
    }
}
