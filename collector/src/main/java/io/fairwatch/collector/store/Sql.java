package io.fairwatch.collector.store;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A query in the making, with its parameters in the order of their places. Confined to one thread. */
final class Sql {
    private static final int FEW = 64;

    private final StringBuilder text = new StringBuilder();
    private final List<@Nullable Object> parameters = new ArrayList<>();

    Sql add(String part, Object... its) {
        text.append(part);
        parameters.addAll(List.of(its));
        return this;
    }

    Sql add(Sql part) {
        text.append(part.text);
        parameters.addAll(part.parameters);
        return this;
    }

    /** Begins with {@code WITH} and what is asked about; what follows begins with an expression of its own. */
    Sql with(List<Asked> asked) {
        text.append("WITH ");
        for (Asked one : asked) {
            if (!one.with().isEmpty()) {
                text.append(one.with()).append(",\n");
                parameters.addAll(one.parameters());
            }
        }
        return this;
    }

    /** A condition that lets parts of sealed files be left out; joins say the same, but only row by row. */
    Sql among(String column, Collection<?> values) {
        if (!values.isEmpty() && values.size() <= FEW) {
            text.append(" AND ")
                    .append(column)
                    .append(" IN (?")
                    .append(", ?".repeat(values.size() - 1))
                    .append(')');
            parameters.addAll(values);
        }
        return this;
    }

    <T> List<T> query(Session session, Session.Mapper<T> mapper) throws java.sql.SQLException {
        return session.query(text.toString(), mapper, parameters.toArray());
    }
}
