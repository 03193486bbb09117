package io.fairwatch.collector.web;

import java.lang.reflect.Type;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * One address below {@code /api/v1}: what it takes, what it answers, and who answers. The server's routes, its check of
 * parameters and its description are all made of this, so that they cannot differ. Immutable.
 *
 * @param path e.g. {@code /api/v1/jobs/{id}}
 * @param summary a sentence for the description
 * @param parameters what may be asked along, those in the path included; how the answer looks may always be asked
 * @param formats how the answer can look; the first one if not said
 * @param answer type of the JSON answer; absent where there is none
 * @param others statuses other than 200 that belong to this address, with a sentence each
 * @param effort how much work it may be
 * @param sight what of it people may see who are no staff; nothing unless said
 * @param handler who answers
 */
record Route(
        String path,
        String summary,
        List<Parameter> parameters,
        List<Format> formats,
        Optional<Type> answer,
        Map<Integer, String> others,
        Effort effort,
        Sight sight,
        Handler handler) {

    /** What of an answer people may see who are no staff, where not everybody sees everything. */
    enum Sight {
        /** All of it. */
        EVERYBODY,
        /** A list: what is theirs. */
        OWN_LIST,
        /** What is theirs, by {@code user} in the path. */
        OWN_USER,
        /** What is theirs, by {@code id} of a job in the path. */
        OWN_JOB,
        /** All of it, with others' names left out by who answers. */
        NAMES_HIDDEN,
        /** Nothing. */
        STAFF
    }

    /** Who answers a question. */
    @FunctionalInterface
    interface Handler {
        Reply answer(Question question) throws Exception;
    }

    /** How much work an answer may be; what may take long has threads of its own, so that lookups never wait for it. */
    enum Effort {
        QUICK(Duration.ofSeconds(15)),
        LONG(Duration.ofMinutes(5));

        /** From when on the asking side is told to narrow its question. */
        final Duration deadline;

        Effort(Duration deadline) {
            this.deadline = deadline;
        }
    }

    Route {
        parameters = List.copyOf(parameters);
        formats = List.copyOf(formats);
        others = Map.copyOf(others);
    }

    static Route of(String path, String summary, Handler handler, Parameter... parameters) {
        return new Route(
                path,
                summary,
                List.of(parameters),
                List.of(Format.JSON, Format.CSV, Format.TEXT),
                Optional.empty(),
                Map.of(),
                Effort.QUICK,
                Sight.STAFF,
                handler);
    }

    /** The same, answering JSON of a type. */
    Route answers(Type type) {
        return new Route(path, summary, parameters, formats, Optional.of(type), others, effort, sight, handler);
    }

    /** The same in other formats. */
    Route in(Format... others) {
        return new Route(path, summary, parameters, List.of(others), answer, this.others, effort, sight, handler);
    }

    /** The same with one more status. */
    Route or(int status, String sentence) {
        Map<Integer, String> more = new TreeMap<>(others);
        more.put(status, sentence);
        return new Route(path, summary, parameters, formats, answer, more, effort, sight, handler);
    }

    /** The same with more parameters. */
    Route and(Parameter... more) {
        List<Parameter> all = new ArrayList<>(parameters);
        all.addAll(List.of(more));
        return new Route(path, summary, all, formats, answer, others, effort, sight, handler);
    }

    /** The same, of which people may see that. */
    Route seen(Sight sight) {
        return new Route(path, summary, parameters, formats, answer, others, effort, sight, handler)
                .or(401, "Who asks is not known; where people see their own only.")
                .or(403, "It is not for whoever asks; where people see their own only.");
    }

    /** The same, on the threads for long work. */
    Route slow() {
        return new Route(path, summary, parameters, formats, answer, others, Effort.LONG, sight, handler);
    }

    boolean isInPath(Parameter parameter) {
        return path.contains("{" + parameter.name() + "}");
    }

    /** The path as Vert.x writes it. */
    String pattern() {
        return path.replaceAll("\\{(\\w+)}", ":$1");
    }

    /** A name of its own, e.g. {@code jobs_id_series}. */
    String operation() {
        return path.replaceFirst("^/api/v1/", "").replaceAll("\\W+", "_").replaceAll("_+$", "");
    }
}
