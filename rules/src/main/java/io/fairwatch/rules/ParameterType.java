package io.fairwatch.rules;

import dev.cel.common.types.CelType;
import dev.cel.common.types.ListType;
import dev.cel.common.types.SimpleType;
import java.util.List;
import java.util.Optional;

/** The type of a rule's parameter, which is that of its default. */
enum ParameterType {
    INT(SimpleType.INT, "a whole number"),
    DOUBLE(SimpleType.DOUBLE, "a number"),
    BOOL(SimpleType.BOOL, "true or false"),
    TEXT(SimpleType.STRING, "text"),
    TEXTS(ListType.create(SimpleType.STRING), "a list of texts");

    private final CelType celType;
    private final String words;

    ParameterType(CelType celType, String words) {
        this.celType = celType;
        this.words = words;
    }

    CelType celType() {
        return celType;
    }

    /** What it is, in words. */
    String words() {
        return words;
    }

    /** The type of a value as YAML has it; empty if a parameter cannot be that. */
    static Optional<ParameterType> of(Object value) {
        if (value instanceof Integer || value instanceof Long) {
            return Optional.of(INT);
        }
        if (value instanceof Float || value instanceof Double) {
            return Optional.of(DOUBLE);
        }
        if (value instanceof Boolean) {
            return Optional.of(BOOL);
        }
        if (value instanceof String) {
            return Optional.of(TEXT);
        }
        return value instanceof List<?> list && list.stream().allMatch(String.class::isInstance)
                ? Optional.of(TEXTS)
                : Optional.empty();
    }

    /** The value as CEL wants it, a whole number also where any number will do; empty if it is of another type. */
    Optional<Object> accept(Object value) {
        Optional<ParameterType> type = of(value);
        if (type.isEmpty() || (type.get() != this && !(this == DOUBLE && type.get() == INT))) {
            return Optional.empty();
        }
        return Optional.of(
                switch (this) {
                    case INT -> ((Number) value).longValue();
                    case DOUBLE -> ((Number) value).doubleValue();
                    case BOOL, TEXT -> value;
                    case TEXTS -> List.copyOf((List<?>) value);
                });
    }
}
