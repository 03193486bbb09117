package io.fairwatch.collector.web;

import java.util.List;
import java.util.Map;

/**
 * An address that others serve, for the description of the API: what it takes and answers. Immutable.
 *
 * @param method {@code get} or {@code post}
 * @param path e.g. {@code /api/v1/staff/exemptions/{id}/end}
 * @param summary a sentence
 * @param query what may stand behind the question mark
 * @param form what is sent as a form; empty: no form is
 * @param token whether a bearer token must be shown
 * @param others statuses other than 200, with a sentence each
 */
public record Described(
        String method,
        String path,
        String summary,
        List<Field> query,
        List<Field> form,
        boolean token,
        Map<Integer, String> others) {

    /**
     * One thing that may or must be said.
     *
     * @param name its name
     * @param required whether it must be
     * @param description a sentence
     */
    public record Field(String name, boolean required, String description) {}

    public Described {
        query = List.copyOf(query);
        form = List.copyOf(form);
        others = Map.copyOf(others);
    }
}
