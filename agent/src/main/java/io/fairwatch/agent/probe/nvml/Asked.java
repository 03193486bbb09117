package io.fairwatch.agent.probe.nvml;

import io.fairwatch.agent.probe.nvml.Nvml.Field;
import io.fairwatch.agent.probe.nvml.Nvml.FieldAnswer;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
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

    /**
     * Asks for several fields with one call. A driver that is older than a field calls its number invalid, and some the
     * whole call; then each is asked for by itself, once.
     */
    Map<Field, Long> ask(Nvml nvml, long device, Set<Field> wanted) throws NvmlException {
        Set<Field> open = EnumSet.noneOf(Field.class);
        wanted.stream().filter(field -> !refused.contains(field)).forEach(open::add);
        Map<Field, Long> values = new EnumMap<>(Field.class);
        if (open.isEmpty() || refused.contains(Batch.FIELDS)) {
            return values;
        }
        try {
            nvml.fields(device, open).forEach((field, answer) -> note(field, answer, values));
        } catch (NvmlException e) {
            if (e.endsSession() || e.losesDevice()) {
                throw e;
            }
            if (open.size() == 1) {
                note(open.iterator().next(), new FieldAnswer(e.code(), OptionalLong.empty()), values);
            } else if (e.code() == NvmlException.FUNCTION_NOT_FOUND) {
                refused.add(Batch.FIELDS);
            } else if (e.isForGood() || e.code() == NvmlException.INVALID_ARGUMENT) {
                for (Field field : open) {
                    values.putAll(ask(nvml, device, EnumSet.of(field)));
                }
            }
        }
        return values;
    }

    private void note(Field field, FieldAnswer answer, Map<Field, Long> values) {
        if (answer.code() == NvmlException.INVALID_ARGUMENT
                || new NvmlException(field.name(), answer.code()).isForGood()) {
            refused.add(field);
        }
        answer.value().ifPresent(value -> values.put(field, value));
    }

    boolean refuses(Enum<?> what) {
        return refused.contains(what);
    }

    /** Lets everything be asked again, because the device changed its nature. */
    void forget() {
        refused.clear();
    }

    private enum Batch {
        FIELDS
    }
}
