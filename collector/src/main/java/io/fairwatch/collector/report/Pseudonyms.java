package io.fairwatch.collector.report;

import io.fairwatch.collector.report.ReportSettings.People;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** How people appear in one report, alike in all its parts. Confined to the thread that makes the report. */
final class Pseudonyms {
    private final People as;
    private final Map<String, Integer> numbers = new HashMap<>();

    /** @param order people in the order in which they get numbers; others get theirs when they first appear */
    Pseudonyms(People as, List<String> order) {
        this.as = as;
        order.forEach(this::number);
    }

    boolean shown() {
        return as != People.NONE;
    }

    boolean named() {
        return as == People.NAMES;
    }

    Cell cell(String user) {
        return as == People.NAMES ? Cell.text(user) : Cell.text("Person " + number(user));
    }

    private int number(String user) {
        return numbers.computeIfAbsent(user, name -> numbers.size() + 1);
    }
}
