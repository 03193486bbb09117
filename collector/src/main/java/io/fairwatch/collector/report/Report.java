package io.fairwatch.collector.report;

import java.time.ZoneId;
import java.util.List;
import java.util.Optional;

/**
 * A period in figures, in no language yet. The same period and the same facts make an equal report. Immutable.
 *
 * @param period what it covers
 * @param of whose it is
 * @param site what people call the cluster
 * @param zone zone of all times that people read
 * @param simulated the sentence that says so when GPUs of any node are simulated
 * @param headline the figures that answer how much there was, how much was held, used and wasted
 * @param whole what there was, by what became of it: one row
 * @param advice what to do, most worthwhile first
 * @param sections everything else
 * @param sources where the figures come from, how complete they are, and what was in force
 * @param scripts lists to act on, for a person to read and to run
 */
public record Report(
        Period period,
        Scope of,
        String site,
        ZoneId zone,
        Optional<String> simulated,
        List<Figure> headline,
        Section whole,
        List<Advice> advice,
        List<Section> sections,
        List<Say> sources,
        List<Script> scripts) {
    public Report {
        headline = List.copyOf(headline);
        advice = List.copyOf(advice);
        sections = List.copyOf(sections);
        sources = List.copyOf(sources);
        scripts = List.copyOf(scripts);
    }

    /** Whose report it is. */
    public sealed interface Scope {
        /** Everybody's. */
        record Cluster() implements Scope {}

        /** One person's. */
        record Person(String user) implements Scope {}

        /** An account's and those below it. */
        record Accounts(String account) implements Scope {}
    }

    /**
     * A number that is read first. Immutable.
     *
     * @param key of its words
     * @param value the number
     * @param explained what it means, a sentence
     */
    public record Figure(String key, Cell value, Say explained) {}

    /**
     * Something worth doing. Immutable.
     *
     * @param say why and what
     * @param section where the figures are
     */
    public record Advice(Say say, String section) {}

    /**
     * Commands for a person to check and to run; nothing here ever runs them. Immutable.
     *
     * @param name of the file
     * @param text a POSIX shell script
     */
    public record Script(String name, String text) {}

    /** The section with this id. */
    public Optional<Section> section(String id) {
        return sections.stream().filter(section -> section.id().equals(id)).findFirst();
    }
}
