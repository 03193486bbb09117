package io.fairwatch.rules;

import com.google.common.collect.ImmutableCollection;
import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import dev.cel.common.types.CelType;
import dev.cel.common.types.CelTypeProvider;
import dev.cel.common.types.ListType;
import dev.cel.common.types.SimpleType;
import dev.cel.common.types.StructType;
import dev.cel.common.types.StructTypeReference;
import dev.cel.common.values.SelectableValue;
import dev.cel.runtime.AccumulatedUnknowns;
import dev.cel.runtime.CelAttribute;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Constructor;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
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

/** What rules can speak of: the types of {@code job}, {@code gpu} and so on, taken from the records of this package, so
 * that a new fact is a new record component and nothing else. Immutable. */
final class Vocabulary {
    /** A running or finished job as a rule sees it. */
    static final Thing JOB = Thing.of("Job", "job", List.of(JobAllocation.class, JobUse.class));

    /** A GPU of a job. */
    static final Thing GPU = Thing.of("Gpu", "gpu", List.of(GpuFacts.class));

    /** A node of a job. */
    static final Thing JOB_NODE = Thing.of("JobNode", "node", List.of(JobNode.class));

    /** Who waits for GPUs of a kind. */
    static final Thing QUEUE = Thing.of("Queue", "queue", List.of(QueueFacts.class));

    /** A job that waits. */
    static final Thing PENDING_JOB = Thing.of("PendingJob", "job", List.of(PendingFacts.Job.class));

    /** A node that a waiting job could run on. */
    static final Thing PLACE = Thing.of("Place", "place", List.of(PendingFacts.Place.class));

    /** A node. */
    static final Thing NODE = Thing.of("Node", "node", List.of(NodeFacts.Node.class));

    /** A GPU of a node. */
    static final Thing NODE_GPU = Thing.of("NodeGpu", "gpu", List.of(NodeFacts.Gpu.class));

    /** A directory of a scratch mount. */
    static final Thing DIRECTORY = Thing.of("Directory", "directory", List.of(DirectoryFacts.class));

    /** A user over a period. */
    static final Thing USER = Thing.of("User", "user", List.of(UserFacts.User.class, UserFacts.Now.class));

    /** A run of a user. */
    static final Thing USER_JOB = Thing.of("UserJob", "job", List.of(UserFacts.Job.class));

    /** All of them. */
    static final List<Thing> THINGS =
            List.of(JOB, GPU, JOB_NODE, QUEUE, PENDING_JOB, PLACE, NODE, NODE_GPU, DIRECTORY, USER, USER_JOB);

    private Vocabulary() {}

    /** Names the types for CEL's checker.
     *
     * @param parameters types of the rule's parameters by name */
    static CelTypeProvider types(Map<String, CelType> parameters) {
        StructType params = structType("Params", ImmutableMap.copyOf(parameters));
        ImmutableList<CelType> all = ImmutableList.<CelType>builder()
                .addAll(THINGS.stream().map(Thing::type).toList())
                .add(params)
                .build();
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
     * @param number its place among the thing's facts
     * @param record which of the thing's records it is in
     * @param reader takes it out of that record
     * @param absent what is said where it is absent */
    record Fact(
            String name,
            CelType type,
            boolean optional,
            int number,
            int record,
            MethodHandle reader,
            Shortcut.Absent absent) {}

    /** Something that has facts.
     *
     * @param type its type in CEL
     * @param variable what rules call one of it
     * @param facts its facts by name, in order: the components of its records, those of nested records included
     * @param inOrder the same by their numbers */
    record Thing(StructType type, String variable, Map<String, Fact> facts, List<Fact> inOrder) {
        static Thing of(String typeName, String variable, List<Class<? extends Record>> records) {
            Map<String, Fact> facts = new LinkedHashMap<>();
            for (int i = 0; i < records.size(); i++) {
                collect(variable, records.get(i), i, MethodHandles.identity(records.get(i)), facts);
            }
            ImmutableMap.Builder<String, CelType> types = ImmutableMap.builder();
            facts.forEach((name, fact) -> types.put(name, fact.type()));
            StructType type = structType(typeName, types.buildOrThrow());
            return new Thing(type, variable, Collections.unmodifiableMap(facts), List.copyOf(facts.values()));
        }

        StructTypeReference reference() {
            return StructTypeReference.create(type.name());
        }

        /** The facts in the records. */
        View view(Record... records) {
            return new View(this, records);
        }

        private static void collect(
                String variable,
                Class<? extends Record> record,
                int number,
                MethodHandle path,
                Map<String, Fact> facts) {
            for (RecordComponent component : record.getRecordComponents()) {
                MethodHandle longer;
                try {
                    longer = MethodHandles.filterReturnValue(
                            path, MethodHandles.lookup().unreflect(component.getAccessor()));
                } catch (IllegalAccessException e) {
                    throw new IllegalStateException("cannot read " + component, e);
                }
                Class<?> type = component.getType();
                if (type.isRecord()) {
                    collect(variable, type.asSubclass(Record.class), number, longer, facts);
                    continue;
                }
                String name = snakeCase(component.getName());
                MethodHandle reader = longer.asType(MethodType.methodType(Object.class, Record.class));
                Fact fact = new Fact(
                        name,
                        celType(component),
                        isOptional(type),
                        facts.size(),
                        number,
                        reader,
                        new Shortcut.Absent(List.of(variable + "." + name)));
                if (facts.put(name, fact) != null) {
                    throw new IllegalStateException("two facts are called " + name);
                }
            }
        }
    }

    /** One thing's facts as expressions read them: each is taken out of its record when it is first asked for. A fact that
     * is absent is unknown, and CEL's logic takes it from there. Confined to one thread. */
    static final class View implements SelectableValue<String> {
        private static final Object NONE = new Object();

        private final Thing thing;
        private final Record[] records;
        private final @Nullable Object[] values;

        private View(Thing thing, Record[] records) {
            this.thing = thing;
            this.records = records;
            this.values = new @Nullable Object[thing.inOrder().size()];
        }

        /** The fact of that number, or {@link Shortcut.Absent}. */
        Object at(int number) {
            Object value = read(number);
            return value == NONE ? thing.inOrder().get(number).absent() : value;
        }

        /** Whether the fact of that number is there. */
        boolean has(int number) {
            return read(number) != NONE;
        }

        private Object read(int number) {
            Object known = values[number];
            if (known != null) {
                return known;
            }
            Fact fact = thing.inOrder().get(number);
            @Nullable Object value;
            try {
                value = toCel((Object) fact.reader().invokeExact(records[fact.record()]));
            } catch (Throwable e) {
                throw new IllegalStateException("cannot read " + fact.name(), e);
            }
            Object kept = value == null ? NONE : value;
            values[number] = kept;
            return kept;
        }

        @Override
        public Object select(String name) {
            Object value = value(name);
            return value == null
                    ? AccumulatedUnknowns.create(
                            List.of(), List.of(CelAttribute.fromQualifiedIdentifier(thing.variable() + "." + name)))
                    : value;
        }

        @Override
        public Optional<Object> find(String name) {
            return Optional.ofNullable(value(name));
        }

        /** The facts that a text names: of the thing's variable, or of any variable.
         *
         * @param own whether they must follow the thing's variable
         * @param known takes those that are there
         * @param absent takes the names of the others */
        void named(String text, boolean own, Map<String, Object> known, List<String> absent) {
            for (Fact fact : thing.facts().values()) {
                String word = own ? thing.variable() + "." + fact.name() : "." + fact.name();
                if (contains(text, word, own)) {
                    Object value = read(fact.number());
                    if (value == NONE) {
                        absent.add(thing.variable() + "." + fact.name());
                    } else {
                        known.put(own ? thing.variable() + "." + fact.name() : fact.name(), value);
                    }
                }
            }
        }

        private static boolean contains(String text, String word, boolean own) {
            for (int at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
                int end = at + word.length();
                boolean ends = end == text.length() || !isNamePart(text.charAt(end));
                boolean begins = !own || at == 0 || !isNamePart(text.charAt(at - 1));
                if (begins && ends) {
                    return true;
                }
            }
            return false;
        }

        private static boolean isNamePart(char letter) {
            return letter == '_' || letter == '.' || Character.isLetterOrDigit(letter);
        }

        private @Nullable Object value(String name) {
            Fact fact = thing.facts().get(name);
            if (fact == null) {
                throw new IllegalArgumentException("unknown fact " + thing.variable() + "." + name);
            }
            Object value = read(fact.number());
            return value == NONE ? null : value;
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
        if (type == List.class) {
            return ListType.create(SimpleType.STRING);
        }
        throw new IllegalStateException(component + ": a fact cannot be of this type");
    }

    private static @Nullable Object toCel(Object value) {
        if (value instanceof Optional<?> optional) {
            return optional.isPresent() ? optional.get() : null;
        }
        if (value instanceof OptionalInt optional) {
            return optional.isPresent() ? (Object) (long) optional.getAsInt() : null;
        }
        if (value instanceof OptionalLong optional) {
            return optional.isPresent() ? (Object) optional.getAsLong() : null;
        }
        if (value instanceof OptionalDouble optional) {
            return optional.isPresent() ? (Object) optional.getAsDouble() : null;
        }
        return value instanceof Integer number ? (Object) number.longValue() : value;
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
        if (type == List.class && value == null) {
            return List.of();
        }
        Objects.requireNonNull(value, "a fact that cannot be absent is");
        return type == int.class ? (Object) Math.toIntExact((long) value) : value;
    }
}
