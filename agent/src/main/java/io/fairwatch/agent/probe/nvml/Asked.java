package io.fairwatch.agent.probe.nvml;

import io.fairwatch.agent.probe.nvml.Nvml.Field;
import io.fairwatch.agent.probe.nvml.Nvml.FieldAnswer;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** What one device was asked, and what it will not answer however often it is asked. Confined to the probe. */
final class Asked {
    /** A call that may fail. */
    interface Question<T> {
        T ask() throws NvmlException;
    }

    private final Set<Object> refused = new HashSet<>();

    /**
     * Asks, unless this device is known not to answer; empty for any answer that concerns this one reading alone.
     *
     * @param what by which the question is known again
     */
    <T> Optional<T> ask(Enum<?> what, Question<T> question) throws NvmlException {
        if (refused.contains(what)) {
            return Optional.empty();
        }
        try {
            return Optional.of(question.ask());
        } catch (NvmlException e) {
            if (e.endsSession() || e.losesDevice()) {
                throw e;
            }
            if (e.isForGood()) {
                refused.add(what);
            }
            return Optional.empty();
        }
    }

    /** Asks for several fields with one call. A driver that is older than a field calls its number invalid. */
    Map<Field, Long> ask(Nvml nvml, long device, Set<Field> wanted) throws NvmlException {
        Set<Field> open = EnumSet.noneOf(Field.class);
        wanted.stream().filter(field -> !refused.contains(field)).forEach(open::add);
        Map<Field, Long> values = new EnumMap<>(Field.class);
        if (open.isEmpty()) {
            return values;
        }
        Map<Field, FieldAnswer> answers =
                ask(Batch.FIELDS, () -> nvml.fields(device, open)).orElse(Map.of());
        answers.forEach((field, answer) -> {
            if (answer.code() == NvmlException.INVALID_ARGUMENT
                    || new NvmlException(field.name(), answer.code()).isForGood()) {
                refused.add(field);
            }
            answer.value().ifPresent(value -> values.put(field, value));
        });
        return values;
    }

    boolean refuses(Enum<?> what) {
        return refused.contains(what) || (what instanceof Field && refused.contains(Batch.FIELDS));
    }

    /** Lets everything be asked again, because the device changed its nature. */
    void forget() {
        refused.clear();
    }

    private enum Batch {
        FIELDS
    }
}
