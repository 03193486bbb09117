package io.fairwatch.collector.web;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.fairwatch.collector.judge.Explainer;
import io.fairwatch.collector.judge.Explainer.Why;
import io.fairwatch.collector.judge.WhyText;
import io.fairwatch.collector.store.Store.StoreException;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Optional;

/** Addresses about rules: why a job was found. Immutable. */
public final class RuleRoutes {
    /** None of them, for tests of other addresses. */
    static final RuleRoutes NONE = new RuleRoutes(Optional.empty(), ZoneOffset.UTC);

    private final Optional<Explainer> explainer;
    private final WhyText text;

    public RuleRoutes(Explainer explainer, ZoneId zone) {
        this(Optional.of(explainer), zone);
    }

    private RuleRoutes(Optional<Explainer> explainer, ZoneId zone) {
        this.explainer = explainer;
        this.text = new WhyText(zone);
    }

    List<Route> routes(JsonMapper json) {
        return explainer
                .map(known -> List.of(Route.of(
                                "/api/v1/jobs/{id}/why",
                                "Every rule with what it saw of a job, what it says, and what came of it.",
                                question -> why(known, question, json),
                                Parameter.text("id", "A job: 83549, an array task 83549_3, or a component 83549+1."))
                        .in(Format.JSON, Format.TEXT)
                        .answers(Why.class)
                        .seen(Route.Sight.OWN_JOB)
                        .or(404, "Nobody knows the job.")))
                .orElse(List.of());
    }

    private Reply why(Explainer known, Question question, JsonMapper json)
            throws StoreException, JsonProcessingException {
        Optional<Why> why = known.why(question.inPath("id"));
        if (why.isEmpty()) {
            return Reply.sentence(404, "Nobody knows the job " + question.inPath("id") + ".");
        }
        return question.format() == Format.TEXT
                ? Reply.of(200, Format.TEXT, text.page(why.get()))
                : Reply.of(200, Format.JSON, json.writeValueAsString(why.get()));
    }
}
