package io.fairwatch.collector.web;

import java.util.Locale;

/** How an answer is to look. */
enum Format {
    JSON("application/json"),
    CSV("text/csv; charset=utf-8"),
    TEXT("text/plain; charset=utf-8");

    final String type;

    Format(String type) {
        this.type = type;
    }

    /** As it is asked for, e.g. {@code json}. */
    String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
