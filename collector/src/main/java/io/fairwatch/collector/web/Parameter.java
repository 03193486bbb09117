package io.fairwatch.collector.web;

import java.util.List;

/**
 * Something that may be asked along. Immutable.
 *
 * @param name as it stands in the address
 * @param description a sentence for the description of the API
 * @param kind what it must look like
 * @param choices the words that it may be; empty: any of its kind
 */
record Parameter(String name, String description, Kind kind, List<String> choices) {
    static final Parameter USER = text("user", "Only of this login name.");
    static final Parameter ACCOUNT = text("account", "Only of this charging account.");
    static final Parameter PARTITION = text("partition", "Only of this partition.");
    static final Parameter NODE = text("node", "Only what lies on this node, by Slurm's name of it.");
    static final Parameter LIMIT =
            new Parameter("limit", "Most items of one answer; 1 to 10000, 1000 if not said.", Kind.COUNT, List.of());
    static final Parameter AFTER =
            new Parameter("after", "Goes on where an earlier answer ended: its field next.", Kind.CURSOR, List.of());
    static final Parameter SINCE = new Parameter(
            "since",
            "From when on: 2026-11-20, 2026-11-20T14:00 (the site's time), 2026-11-20T13:00:00Z, or so long ago: 90m, 12h, 7d.",
            Kind.TIME,
            List.of());
    static final Parameter UNTIL =
            new Parameter("until", "Until when, written as since; not included.", Kind.TIME, List.of());
    static final Parameter COLOURS = choice("colours", "For a terminal that shows them; text only.", "yes", "no");
    static final Parameter WIDTH = new Parameter("width", "Columns of the terminal; text only.", Kind.COUNT, List.of());
    static final Parameter CHARACTERS =
            choice("characters", "What the terminal can show; ascii if not said; text only.", "ascii", "utf-8");

    /** What a value must look like. */
    enum Kind {
        TEXT("string"),
        COUNT("integer"),
        TIME("string"),
        CURSOR("string");

        final String schema;

        Kind(String schema) {
            this.schema = schema;
        }
    }

    Parameter {
        choices = List.copyOf(choices);
    }

    static Parameter text(String name, String description) {
        return new Parameter(name, description, Kind.TEXT, List.of());
    }

    static Parameter choice(String name, String description, String... choices) {
        return new Parameter(name, description, Kind.TEXT, List.of(choices));
    }
}
