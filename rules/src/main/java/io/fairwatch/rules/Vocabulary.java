package io.fairwatch.rules;

import com.google.common.collect.ImmutableCollection;
import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import dev.cel.common.types.CelType;
import dev.cel.common.types.CelTypeProvider;
import dev.cel.common.types.SimpleType;
import dev.cel.common.types.StructType;
import dev.cel.common.types.StructTypeReference;
import dev.cel.common.values.SelectableValue;
import dev.cel.runtime.AccumulatedUnknowns;
import dev.cel.runtime.CelAttribute;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** What rules can speak of: the types of {@code job} and {@code gpu}, taken from the records of this package, so that a
 * new fact is a new record component and nothing else. Immutable. */
final class Vocabulary {
    /** A job as a rule sees it. */
    static final Thing JOB = Thing.of("Job", "job", List.of(JobAllocation.class, JobUse.class));

    /** A GPU as a rule sees it. */
    static final Thing GPU = Thing.of("Gpu", "gpu", List.of(GpuFacts.class));

    private Vocabulary() {}

    /** Names the types for CEL's checker.
     *
     * @param parameters types of the rule's parameters by name */
    static CelTypeProvider types(Map<String, CelType> parameters) {
        StructType params = structType("Params", ImmutableMap.copyOf(parameters));
        ImmutableList<CelType> all = ImmutableList.of(JOB.type(), GPU.type(), params);
        return new CelTypeProvider() {
            @Override
            public ImmutableCollection<CelType> types() {
                return all;
            }

            @Override
            public Optional<CelType> findType(String name) {
                return all.stream().filter(type -> type.name().equals(name)).findFirst();
            }
        };
    }

    private static StructType structType(String name, ImmutableMap<String, CelType> fields) {
        return StructType.create(name, fields.keySet(), field -> Optional.ofNullable(fields.get(field)));
    }

    /** One fact of a thing.
     *
     * @param name as rules say it
     * @param type as CEL knows it
     * @param optional whether it may be absent
     * @param record which of the thing's records it is in
     * @param path accessors that lead from that record to it */
    record Fact(String name, CelType type, boolean optional, int record, List<Method> path) {}

    /** Something that has facts.
     *
     * @param type its type in CEL
     * @param variable what rules call one of it
     * @param facts its facts by name: the components of its records, those of nested records included */
    record Thing(StructType type, String variable, Map<String, Fact> facts) {
        static Thing of(String typeName, String variable, List<Class<? extends Record>> records) {
            Map<String, Fact> facts = new LinkedHashMap<>();
            for (int i = 0; i < records.size(); i++) {
                collect(records.get(i), i, List.of(), facts);
            }
            ImmutableMap.Builder<String, CelType> types = ImmutableMap.builder();
            facts.forEach((name, fact) -> types.put(name, fact.type()));
            StructType type = structType(typeName, types.buildOrThrow());
            return new Thing(type, variable, Collections.unmodifiableMap(facts));
        }

        StructTypeReference reference() {
            return StructTypeReference.create(type.name());
        }

        View view(Record... values) {
            return new View(this, List.of(values));
        }

        private static void collect(
                Class<? extends Record> record, int number, List<Method> path, Map<String, Fact> facts) {
            for (RecordComponent component : record.getRecordComponents()) {
                List<Method> longer = new ArrayList<>(path);
                longer.add(component.getAccessor());
                Class<?> type = component.getType();
                if (type.isRecord()) {
                    collect(type.asSubclass(Record.class), number, longer, facts);
                    continue;
                }
                String name = snakeCase(component.getName());
                Fact fact = new Fact(name, celType(component), isOptional(type), number, List.copyOf(longer));
                if (facts.put(name, fact) != null) {
                    throw new IllegalStateException("two facts are called " + name);
                }
            }
        }
    }

    /** One thing's facts as CEL reads them. A fact that is absent is unknown, and CEL's logic takes it from there. */
    record View(Thing thing, List<Record> records) implements SelectableValue<String> {
        @Override
        public Object select(String name) {
            return find(name)
                    .orElseGet(() -> AccumulatedUnknowns.create(
                            List.of(), List.of(CelAttribute.fromQualifiedIdentifier(thing.variable() + "." + name))));
        }

        @Override
        public Optional<Object> find(String name) {
            Fact fact = thing.facts().get(name);
            if (fact == null) {
                throw new IllegalArgumentException("unknown fact " + thing.variable() + "." + name);
            }
            Object value = records.get(fact.record());
            try {
                for (Method accessor : fact.path()) {
                    value = Objects.requireNonNull(accessor.invoke(value));
                }
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException("cannot read " + name, e);
            }
            return toCel(value);
        }
    }

    /** Makes a record out of facts by name; what is not given is absent.
     *
     * @throws IllegalArgumentException if a fact is out of its range */
    static <R extends Record> R build(Class<R> record, Map<String, Object> values) {
        RecordComponent[] components = record.getRecordComponents();
        @Nullable Object[] arguments = new @Nullable Object[components.length];
        for (int i = 0; i < components.length; i++) {
            Class<?> type = components[i].getType();
            arguments[i] = type.isRecord()
                    ? build(type.asSubclass(Record.class), values)
                    : toJava(type, values.get(snakeCase(components[i].getName())));
        }
        try {
            Constructor<R> constructor = record.getDeclaredConstructor(
                    Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new));
            return constructor.newInstance(arguments);
        } catch (ReflectiveOperationException e) {
            if (e.getCause() instanceof IllegalArgumentException outOfRange) {
                throw outOfRange;
            }
            throw new IllegalStateException("cannot build " + record, e);
        }
    }

    /** Turns {@code memoryUsedMaxBytes} into {@code memory_used_max_bytes}. */
    private static String snakeCase(String name) {
        return name.replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
    }

    private static boolean isOptional(Class<?> type) {
        return type == Optional.class
                || type == OptionalInt.class
                || type == OptionalLong.class
                || type == OptionalDouble.class;
    }

    private static CelType celType(RecordComponent component) {
        Class<?> type = component.getType();
        if (type == Optional.class) {
            ParameterizedType generic = (ParameterizedType) component.getGenericType();
            type = (Class<?>) generic.getActualTypeArguments()[0];
        }
        if (type == int.class || type == long.class || type == OptionalInt.class || type == OptionalLong.class) {
            return SimpleType.INT;
        }
        if (type == double.class || type == OptionalDouble.class) {
            return SimpleType.DOUBLE;
        }
        if (type == boolean.class || type == Boolean.class) {
            return SimpleType.BOOL;
        }
        if (type == String.class) {
            return SimpleType.STRING;
        }
        throw new IllegalStateException(component + ": a fact cannot be of this type");
    }

    private static Optional<Object> toCel(Object value) {
        if (value instanceof Optional<?> optional) {
            return optional.map(inner -> inner);
        }
        if (value instanceof OptionalInt optional) {
            return optional.isPresent() ? Optional.of((long) optional.getAsInt()) : Optional.empty();
        }
        if (value instanceof OptionalLong optional) {
            return optional.isPresent() ? Optional.of(optional.getAsLong()) : Optional.empty();
        }
        if (value instanceof OptionalDouble optional) {
            return optional.isPresent() ? Optional.of(optional.getAsDouble()) : Optional.empty();
        }
        return Optional.of(value instanceof Integer number ? number.longValue() : value);
    }

    private static Object toJava(Class<?> type, @Nullable Object value) {
        if (type == Optional.class) {
            return Optional.ofNullable(value);
        }
        if (type == OptionalInt.class) {
            return value == null ? OptionalInt.empty() : OptionalInt.of(Math.toIntExact((long) value));
        }
        if (type == OptionalLong.class) {
            return value == null ? OptionalLong.empty() : OptionalLong.of((long) value);
        }
        if (type == OptionalDouble.class) {
            return value == null ? OptionalDouble.empty() : OptionalDouble.of((double) value);
        }
        Objects.requireNonNull(value, "a fact that cannot be absent is");
        return type == int.class ? (Object) Math.toIntExact((long) value) : value;
    }
}
