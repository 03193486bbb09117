package io.fairwatch.collector.report;

import java.time.Instant;
import java.util.Optional;

/**
 * One value of a report, in base units, with how people read it. Immutable.
 *
 * @param kind what it is
 * @param value a String, Long, Double or Instant by {@code kind}; absent: unknown, which is never zero
 */
public record Cell(Kind kind, Optional<Object> value) {

    /** What a value is, and in which unit other programs get it. */
    public enum Kind {
        /** Text of others or of ours. */
        TEXT(""),
        /** A word that the language decides, by its key. */
        WORD(""),
        /** A whole number. */
        COUNT(""),
        /** Time of GPUs, CPUs or jobs; people read hours. */
        HOURS("_seconds"),
        /** Memory over time; people read GiB-hours. */
        MEMORY_HOURS("_mib_seconds"),
        /** A length of time; people read minutes, hours or days. */
        LENGTH("_seconds"),
        /** 0..1; people read percent. */
        RATIO("_ratio"),
        /** A number with decimals. */
        NUMBER(""),
        /** People read kWh. */
        ENERGY("_joules"),
        /** Mass of CO2; people read kg. */
        MASS("_kg"),
        /** Storage. */
        BYTES("_bytes"),
        /** A point in time; people read date and minute of the site's zone. */
        TIME("_at");

        private final String suffix;

        Kind(String suffix) {
            this.suffix = suffix;
        }

        /** What a column's name ends in, in files for other programs. */
        String suffix() {
            return suffix;
        }

        /** Whether it is written to the right, as numbers are. */
        boolean isNumber() {
            return this != TEXT && this != WORD && this != TIME;
        }
    }

    static Cell text(String value) {
        return new Cell(Kind.TEXT, Optional.of(value));
    }

    static Cell word(String key) {
        return new Cell(Kind.WORD, Optional.of(key));
    }

    static Cell count(long value) {
        return new Cell(Kind.COUNT, Optional.of(value));
    }

    /** Milliseconds of resources held or used. */
    static Cell hours(long ms) {
        return new Cell(Kind.HOURS, Optional.of(ms / 1000.0));
    }

    static Cell memoryHours(long mibMs) {
        return new Cell(Kind.MEMORY_HOURS, Optional.of(mibMs / 1000.0));
    }

    static Cell length(long ms) {
        return new Cell(Kind.LENGTH, Optional.of(ms / 1000.0));
    }

    /** A share; unknown when there is no whole. */
    static Cell ratio(double part, double whole) {
        return whole > 0 ? new Cell(Kind.RATIO, Optional.of(part / whole)) : unknown(Kind.RATIO);
    }

    /** A share of whole numbers. */
    static Cell ratio(long part, long whole) {
        return ratio((double) part, (double) whole);
    }

    static Cell number(double value) {
        return new Cell(Kind.NUMBER, Optional.of(value));
    }

    static Cell energy(long joules) {
        return new Cell(Kind.ENERGY, Optional.of((double) joules));
    }

    static Cell mass(double kilograms) {
        return new Cell(Kind.MASS, Optional.of(kilograms));
    }

    static Cell bytes(long value) {
        return new Cell(Kind.BYTES, Optional.of(value));
    }

    static Cell time(Instant value) {
        return new Cell(Kind.TIME, Optional.of(value));
    }

    static Cell time(Optional<Instant> value) {
        return new Cell(Kind.TIME, value.map(at -> at));
    }

    static Cell unknown(Kind kind) {
        return new Cell(kind, Optional.empty());
    }

    /** The value as a number; 0 for what is none or unknown: for drawing only. */
    double drawn() {
        return value.filter(Number.class::isInstance)
                .map(Number.class::cast)
                .map(Number::doubleValue)
                .orElse(0.0);
    }
}
