package io.fairwatch.collector.store;

import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import org.duckdb.DuckDBAppender;
import org.jspecify.annotations.Nullable;

/**
 * Appends rows to one table, cell by cell in the order of its columns. What is absent becomes NULL. {@link #end} ends a
 * row; {@link #close} hands over what is left. Confined to the thread that made it.
 */
final class Rows implements AutoCloseable {
    private final DuckDBAppender appender;
    private boolean inRow;

    Rows(DuckDBAppender appender) {
        this.appender = appender;
    }

    Rows text(String value) throws SQLException {
        cell().append(clean(value));
        return this;
    }

    Rows text(Optional<String> value) throws SQLException {
        return value.isPresent() ? text(value.get()) : none();
    }

    /** A text, a whole number, or nothing. */
    Rows any(@Nullable Object value) throws SQLException {
        if (value == null) {
            return none();
        } else if (value instanceof String text) {
            return text(text);
        } else if (value instanceof Integer number) {
            return number(number.intValue());
        } else if (value instanceof Long number) {
            return number(number.longValue());
        }
        throw new IllegalArgumentException("cell: " + value.getClass() + " (expected: text or whole number)");
    }

    Rows word(Enum<?> value) throws SQLException {
        cell().append(value.name());
        return this;
    }

    Rows number(long value) throws SQLException {
        cell().append(value);
        return this;
    }

    Rows number(int value) throws SQLException {
        cell().append(value);
        return this;
    }

    Rows number(OptionalLong value) throws SQLException {
        return value.isPresent() ? number(value.getAsLong()) : none();
    }

    Rows number(OptionalInt value) throws SQLException {
        return value.isPresent() ? number(value.getAsInt()) : none();
    }

    /** A number that is neither infinite nor NaN; those become NULL, because they say nothing. */
    Rows real(double value) throws SQLException {
        if (!Double.isFinite(value)) {
            return none();
        }
        cell().append(value);
        return this;
    }

    Rows real(OptionalDouble value) throws SQLException {
        return value.isPresent() ? real(value.getAsDouble()) : none();
    }

    Rows flag(boolean value) throws SQLException {
        cell().append(value);
        return this;
    }

    Rows flag(Optional<Boolean> value) throws SQLException {
        return value.isPresent() ? flag(value.get()) : none();
    }

    /** Words or numbers without commas, joined by commas; empty text for an empty list. */
    Rows list(Optional<? extends List<?>> values) throws SQLException {
        return text(values.map(list -> list.stream().map(String::valueOf).collect(Collectors.joining(","))));
    }

    /** Milliseconds since 1970; what is finer is cut off. */
    Rows time(Instant value) throws SQLException {
        return number(value.toEpochMilli());
    }

    Rows time(Optional<Instant> value) throws SQLException {
        return value.isPresent() ? time(value.get()) : none();
    }

    Rows length(Duration value) throws SQLException {
        return number(value.toMillis());
    }

    Rows length(Optional<Duration> value) throws SQLException {
        return value.isPresent() ? length(value.get()) : none();
    }

    Rows none() throws SQLException {
        cell().appendNull();
        return this;
    }

    /** Some absent cells in a row. */
    Rows none(int cells) throws SQLException {
        for (int i = 0; i < cells; i++) {
            none();
        }
        return this;
    }

    void end() throws SQLException {
        appender.endRow();
        inRow = false;
    }

    private DuckDBAppender cell() throws SQLException {
        if (!inRow) {
            appender.beginRow();
            inRow = true;
        }
        return appender;
    }

    /** The text with what databases refuse (NUL, half surrogate pairs) replaced by U+FFFD. */
    static String clean(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == 0 || Character.isSurrogate(c)) {
                return replaced(text);
            }
        }
        return text;
    }

    private static String replaced(String text) {
        StringBuilder clean = new StringBuilder(text.length());
        text.codePoints()
                .map(c -> c == 0 || (c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE) ? 0xFFFD : c)
                .forEach(clean::appendCodePoint);
        return clean.toString();
    }

    @Override
    public void close() throws SQLException {
        appender.close();
    }
}
