package io.fairwatch.collector.report;

import java.util.List;
import java.util.Optional;

/**
 * One question of a report and its answer. Immutable.
 *
 * @param id of its words and its place
 * @param says the answer in sentences
 * @param sheet the numbers
 * @param chart how they are drawn; absent where a table says it better
 * @param notes how the figures were made
 * @param onPage most rows that people see; files have all. 0: the section is for files only
 */
public record Section(String id, List<Say> says, Sheet sheet, Optional<Chart> chart, List<Say> notes, int onPage) {
    private static final int ROWS = 25;

    public Section {
        says = List.copyOf(says);
        notes = List.copyOf(notes);
    }

    Section(String id, List<Say> says, Sheet sheet, Optional<Chart> chart, List<Say> notes) {
        this(id, says, sheet, chart, notes, ROWS);
    }
}
