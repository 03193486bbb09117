package io.fairwatch.collector.web;

import com.fasterxml.jackson.databind.BeanDescription;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.SerializationConfig;
import com.fasterxml.jackson.databind.introspect.AnnotatedClass;
import com.fasterxml.jackson.databind.introspect.BeanPropertyDefinition;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.jsontype.NamedType;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.reflect.Type;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * JSON schemas of values as a mapper writes them. It asks that mapper's own introspection, so that names and keys are
 * those of real answers; what is optional in Java is not required, and nothing else may be there. Confined to one thread.
 */
final class Schemas {
    private final SerializationConfig config;
    private final Map<String, String> words;
    private final Map<String, ObjectNode> components = new TreeMap<>();

    /**
     * @param mapper writes the answers
     * @param words a sentence for each key that needs one
     */
    Schemas(JsonMapper mapper, Map<String, String> words) {
        this.config = mapper.getSerializationConfig();
        this.words = words;
    }

    /** All values that were named so far, by name. */
    Map<String, ObjectNode> components() {
        return components;
    }

    ObjectNode of(Type type) {
        return of(config.getTypeFactory().constructType(type));
    }

    private ObjectNode of(JavaType type) {
        Class<?> raw = type.getRawClass();
        if (raw == Optional.class) {
            return of(type.containedType(0));
        } else if (raw == String.class) {
            return simple("string");
        } else if (raw == Instant.class) {
            return simple("string").put("format", "date-time");
        } else if (raw == Duration.class) {
            return simple("string").put("format", "duration");
        } else if (raw == int.class || raw == Integer.class || raw == OptionalInt.class) {
            return simple("integer").put("format", "int32");
        } else if (raw == long.class || raw == Long.class || raw == OptionalLong.class) {
            return simple("integer").put("format", "int64");
        } else if (raw == double.class || raw == Double.class || raw == OptionalDouble.class) {
            return simple("number").put("format", "double");
        } else if (raw == boolean.class || raw == Boolean.class) {
            return simple("boolean");
        } else if (type.isEnumType()) {
            ObjectNode schema = simple("string");
            ArrayNode values = schema.putArray("enum");
            Arrays.stream(raw.getEnumConstants()).forEach(value -> values.add(((Enum<?>) value).name()));
            return schema;
        } else if (type.isCollectionLikeType()) {
            ObjectNode schema = simple("array");
            schema.set("items", of(type.getContentType()));
            return schema;
        } else if (type.isMapLikeType()) {
            ObjectNode schema = simple("object");
            schema.set("additionalProperties", of(type.getContentType()));
            return schema;
        } else if (raw == Object.class || JsonNode.class.isAssignableFrom(raw)) {
            return JsonNodeFactory.instance.objectNode();
        }
        String name = name(type);
        if (!components.containsKey(name)) {
            components.put(name, JsonNodeFactory.instance.objectNode()); // so that a type may contain itself
            components.put(name, value(type));
        }
        return JsonNodeFactory.instance.objectNode().put("$ref", "#/components/schemas/" + name);
    }

    private static ObjectNode simple(String type) {
        return JsonNodeFactory.instance.objectNode().put("type", type);
    }

    /** {@code Listing<JobLine>} is {@code ListingOfJobLine}, {@code NodeLookup.NodeView} is {@code NodeLookupNodeView}. */
    private static String name(JavaType type) {
        StringBuilder name = new StringBuilder();
        for (Class<?> c = type.getRawClass(); c != null; c = c.getEnclosingClass()) {
            name.insert(0, c.getSimpleName());
        }
        if (type.containedTypeCount() > 0) {
            name.append("Of")
                    .append(type.getBindings().getTypeParameters().stream()
                            .map(Schemas::name)
                            .collect(Collectors.joining("And")));
        }
        return name.toString();
    }

    private ObjectNode value(JavaType type) {
        BeanDescription description = config.introspect(type);
        AnnotatedClass annotated = description.getClassInfo();
        if (type.isInterface()) {
            ObjectNode schema = JsonNodeFactory.instance.objectNode();
            ArrayNode one = schema.putArray("oneOf");
            for (NamedType sub : config.getSubtypeResolver().collectAndResolveSubtypesByClass(config, annotated)) {
                if (sub.getType() != type.getRawClass()) {
                    one.add(of(sub.getType()));
                }
            }
            return schema;
        }
        ObjectNode schema = simple("object");
        ObjectNode properties = schema.putObject("properties");
        ArrayNode required = schema.putArray("required");
        kind(type).ifPresent(kind -> {
            properties.putObject(kind.key()).put("const", kind.name());
            required.add(kind.key());
        });
        for (BeanPropertyDefinition property : description.findProperties()) {
            if (!property.couldSerialize()) {
                continue;
            }
            JavaType of = property.getAccessor().getType();
            ObjectNode value = of(of);
            String word = words.get(property.getName());
            if (word != null) {
                value.put("description", word);
            }
            properties.set(property.getName(), value);
            if (!of.getRawClass().getSimpleName().startsWith("Optional")) {
                required.add(property.getName());
            }
        }
        return schema.put("additionalProperties", false);
    }

    private record Kind(String key, String name) {}

    /** The key by which one of several values of an interface is told from the others. */
    private Optional<Kind> kind(JavaType type) {
        for (Class<?> above : type.getRawClass().getInterfaces()) {
            var info = above.getAnnotation(com.fasterxml.jackson.annotation.JsonTypeInfo.class);
            var subs = above.getAnnotation(com.fasterxml.jackson.annotation.JsonSubTypes.class);
            if (info != null && subs != null) {
                return Arrays.stream(subs.value())
                        .filter(sub -> sub.value() == type.getRawClass())
                        .map(sub -> new Kind(info.property(), sub.name()))
                        .findFirst();
            }
        }
        return Optional.empty();
    }
}
